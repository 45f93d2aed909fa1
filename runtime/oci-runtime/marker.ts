import { existsSync } from "node:fs";
import { mkdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
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

/**
 * Takes back what was written for a container that is gone: an engine that died before it called the wrapper does not
 * call it for the removal either.
 * @returns false when the wrapper has begun to work for it and has not cleaned up after itself.
 */
export async function unmark(stateDirectory: string, containerId: string): Promise<boolean> {
  const { marker, restored, work } = wrapperFiles(stateDirectory, containerId);
  await Promise.all([marker, `${marker}.new`].map((path) => rm(path, { force: true })));
  const isEmpty = await rmdir(work).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === "ENOENT",
  );
  return isEmpty && !existsSync(restored);
}
