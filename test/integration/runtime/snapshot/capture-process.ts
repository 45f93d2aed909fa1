// Another process that captures, as a second platform or a command would. Arguments: directory, container, address, key.
import type { CompatibilityKey } from "../../../../runtime/snapshot/snapshot.ts";
import { SnapshotLab } from "./snapshot-lab.ts";

const [directory = "", containerId = "", address = "", key = "{}"] = process.argv.slice(2);
const snapshotter = await new SnapshotLab("other").open(directory);
const snapshot = await snapshotter.capture(
  { containerId, address, key: JSON.parse(key) as CompatibilityKey },
  { signal: AbortSignal.timeout(60_000) },
);
process.stdout.write(JSON.stringify({ id: snapshot.id, status: snapshot.status }));
