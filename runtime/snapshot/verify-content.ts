import type { Clock } from "../clock.ts";
import { rememberChecked } from "./content-check.ts";
import type { SnapshotDirectory, StoredSnapshot } from "./directory.ts";
import { compareContent, renewIdentities } from "./digests.ts";
import type { SnapshotVerification } from "./snapshot.ts";

/** Compares every byte of a snapshot with its digests. Content that is whole need not be read again this boot. */
export async function verifySnapshot(
  directory: SnapshotDirectory,
  stored: StoredSnapshot,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<SnapshotVerification> {
  const startedAt = clock.monotonicMs();
  const { files } = stored;
  const path = directory.pathOf(stored.snapshot.id);
  const damage = await compareContent(path, files, { depth: "full", signal });
  if (damage.length === 0 && files.length > 0) {
    await directory.rewrite({ ...stored, files: await renewIdentities(path, files) });
    await rememberChecked(path);
  }
  return {
    damage,
    files: files.length,
    bytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    ms: clock.monotonicMs() - startedAt,
  };
}
