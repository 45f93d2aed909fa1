import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { restoreMarker, wrapperFiles } from "./wrapper.ts";

/**
 * Tells the OCI runtime wrapper to restore this container at its next start. The directories that the wrapper needs are
 * made here, where it costs no program's start; a former outcome would mean that the restore was tried already.
 */
export async function markForRestore(options: {
  readonly stateDirectory: string;
  readonly containerId: string;
  readonly snapshotDirectory: string;
  readonly usesHugePages: boolean;
}): Promise<void> {
  const { stateDirectory, containerId, snapshotDirectory } = options;
  const { marker, outcome, restored, work } = wrapperFiles(stateDirectory, containerId);
  const directories = [dirname(marker), dirname(outcome), dirname(restored), work];
  await Promise.all([
    rm(outcome, { force: true }),
    ...directories.map((path) => mkdir(path, { recursive: true, mode: 0o700 })),
  ]);
  await writeFile(`${marker}.new`, restoreMarker(snapshotDirectory, options), { mode: 0o600 });
  await rename(`${marker}.new`, marker);
}
