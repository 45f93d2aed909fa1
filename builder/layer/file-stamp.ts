import { lstat } from "node:fs/promises";
import type { BigIntStats } from "node:fs";
import { FileChangedError } from "./errors.ts";

/**
 * What tells one state of a file from another without reading it. The change time (ctime) is in it because no
 * program can set it back, as `touch -d`, `rsync -t` and `tar -x` do with the modification time.
 */
export interface FileStamp {
  readonly device: bigint;
  readonly inode: bigint;
  readonly sizeBytes: number;
  readonly modifiedNs: bigint;
  readonly changedNs: bigint;
}

export function stampOf(stats: BigIntStats): FileStamp {
  return {
    device: stats.dev,
    inode: stats.ino,
    sizeBytes: Number(stats.size),
    modifiedNs: stats.mtimeNs,
    changedNs: stats.ctimeNs,
  };
}

export function renderStamp(stamp: FileStamp): string {
  return [stamp.device, stamp.inode, stamp.sizeBytes, stamp.modifiedNs, stamp.changedNs].join(":");
}

/** Which fact differs between two stamps of one path, in words; undefined when none does. */
export function describeChange(before: FileStamp, after: FileStamp): string | undefined {
  if (before.sizeBytes !== after.sizeBytes)
    return `its size was ${before.sizeBytes} bytes and is ${after.sizeBytes}`;
  if (before.inode !== after.inode || before.device !== after.device)
    return "another file took its place";
  if (before.modifiedNs !== after.modifiedNs) return "it was modified";
  if (before.changedNs !== after.changedNs) return "its status changed";
  return undefined;
}

/** As many lstat calls run at once as libuv's thread pool and a network file system make use of. */
const statConcurrency = 64;

/** Stamps of all paths, in their order. @throws FileChangedError when one is gone. */
export async function readStamps(options: {
  paths: readonly string[];
  signal?: AbortSignal | undefined;
}): Promise<FileStamp[]> {
  const stamps: FileStamp[] = [];
  for (let start = 0; start < options.paths.length; start += statConcurrency) {
    options.signal?.throwIfAborted();
    const paths = options.paths.slice(start, start + statConcurrency);
    const stats = await Promise.all(paths.map(readStats));
    stamps.push(...stats.map(stampOf));
  }
  return stamps;
}

async function readStats(path: string): Promise<BigIntStats> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new FileChangedError({ path, change: "it is gone", cause: error });
  }
}
