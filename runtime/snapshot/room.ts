import { statfs } from "node:fs/promises";

import { SnapshotError } from "../errors.ts";

/** What a disk must have for a snapshot. Bytes. */
export interface RoomNeeded {
  readonly directory: string;
  readonly dumpBytes: number;
  /** Left free beyond the dump itself. */
  readonly reserveBytes: number;
}

/** @throws SnapshotError `snapshot_capture_failed` that says how much is missing. */
export async function assertRoom(needed: RoomNeeded): Promise<void> {
  const missing = await missingRoom(needed);
  if (missing !== undefined) throw noRoom(missing);
}

/** What a dump that failed for want of room leaves at most; its pieces are larger. Bytes. */
const fullBelowBytes = 256 * 1024;

/** Whether the disk is full now. CRIU does not always say that it was: of its errors the last few are kept. */
export async function isDiskFull(directory: string): Promise<boolean> {
  return (await freeBytesOf(directory)) < fullBelowBytes;
}

/** A dump that filled the disk nevertheless, in the same words; any other failure as it is. */
export async function explainFullDisk(
  error: unknown,
  needed: RoomNeeded & { readonly isFull: boolean },
): Promise<unknown> {
  const { message = "", cause } = error as { message?: string; cause?: unknown };
  if (!needed.isFull && !/No space left|ENOSPC/i.test(`${message} ${String(cause)}`)) return error;
  const { directory, dumpBytes } = needed;
  const freeBytes = await freeBytesOf(directory);
  const text = (await missingRoom(needed)) ?? `the disk lacks more than ${mib(freeBytes)}`;
  return noRoom(`${text}; writing about ${mib(dumpBytes)} filled it`, error);
}

async function missingRoom(needed: RoomNeeded): Promise<string | undefined> {
  const { directory, dumpBytes, reserveBytes } = needed;
  const freeBytes = await freeBytesOf(directory);
  const missingBytes = dumpBytes + reserveBytes - freeBytes;
  if (missingBytes <= 0) return undefined;
  return `the disk lacks ${mib(missingBytes)}: ${mib(freeBytes)} are free, the dump takes up to ${mib(dumpBytes)} and must leave ${mib(reserveBytes)}`;
}

function noRoom(message: string, cause?: unknown): SnapshotError {
  return new SnapshotError("snapshot_capture_failed", message, {
    cause,
    hint: "remove snapshots or images, or move the data directory to a larger disk",
  });
}

async function freeBytesOf(directory: string): Promise<number> {
  const disk = await statfs(directory);
  return disk.bavail * disk.bsize;
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
