import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { z } from "zod";

/** One file of a snapshot: its content, and by what it is recognised as untouched. */
export interface FileRecord {
  /** Relative to the snapshot's directory. */
  readonly path: string;
  readonly sizeBytes: number;
  /** `sha256:…` */
  readonly digest: string;
  readonly inode: number;
  /** Milliseconds with fraction. */
  readonly modifiedMs: number;
  /** The change time cannot be set by a program, unlike the modification time. */
  readonly changedMs: number;
}

export const fileRecordSchema: z.ZodType<FileRecord> = z.object({
  path: z.string(),
  sizeBytes: z.number().int(),
  digest: z.string(),
  inode: z.number(),
  modifiedMs: z.number(),
  changedMs: z.number(),
});

/** Larger reads than Node's 64 KiB: fewer round trips while hashing gigabytes. */
const readBytes = 1 << 20;

/** Hashes every file below the directory. */
export async function recordFiles(
  directory: string,
  signal: AbortSignal,
): Promise<readonly FileRecord[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .toSorted();
  const records: FileRecord[] = [];
  for (const path of paths) {
    const digest = await digestOf(join(directory, path), signal);
    records.push({ path, digest, ...(await identityOf(join(directory, path))) });
  }
  return records;
}

/**
 * Undefined when every file is as it was recorded; else what is wrong with the first that is not. A file that kept its
 * inode, size and both times since it was hashed is not read again: a restore must not wait for a hash over its memory.
 */
export async function findDamage(
  directory: string,
  records: readonly FileRecord[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const findings = await Promise.all(records.map((record) => damageOf(directory, record, signal)));
  return findings.find((finding) => finding !== undefined);
}

async function damageOf(
  directory: string,
  record: FileRecord,
  signal: AbortSignal,
): Promise<string | undefined> {
  const path = join(directory, record.path);
  try {
    const now = await identityOf(path);
    if (now.sizeBytes !== record.sizeBytes) {
      return `${record.path} has ${now.sizeBytes} bytes instead of ${record.sizeBytes}`;
    }
    const isUntouched =
      now.inode === record.inode &&
      now.modifiedMs === record.modifiedMs &&
      now.changedMs === record.changedMs;
    if (isUntouched) return undefined;
    const digest = await digestOf(path, signal);
    return digest === record.digest ? undefined : `${record.path} is not what was captured`;
  } catch (error) {
    signal.throwIfAborted();
    return `${record.path} cannot be read: ${(error as Error).message}`;
  }
}

async function identityOf(path: string): Promise<Omit<FileRecord, "path" | "digest">> {
  const facts = await stat(path);
  return {
    sizeBytes: facts.size,
    inode: facts.ino,
    modifiedMs: facts.mtimeMs,
    changedMs: facts.ctimeMs,
  };
}

async function digestOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: readBytes }), hash, { signal });
  return `sha256:${hash.digest("hex")}`;
}
