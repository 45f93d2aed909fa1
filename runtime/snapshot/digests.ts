import { chmod, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { chunkBytes, ContentReader, type FileContent } from "./content.ts";

/** One file of a snapshot: its content, and by what it is recognised as untouched. */
export interface FileRecord {
  /** Relative to the snapshot's directory. */
  readonly path: string;
  readonly sizeBytes: number;
  /** `sha256:…` */
  readonly digest: string;
  /** CRC-32 of each 16 MiB; absent in snapshots of earlier versions. */
  readonly chunks?: readonly number[] | undefined;
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
  chunks: z.array(z.number().int()).optional(),
  inode: z.number(),
  modifiedMs: z.number(),
  changedMs: z.number(),
});

/** What a snapshot's memory is read for by its owner alone. */
const fileMode = 0o600;

/** Hashes every file below the directory but these, and makes it its owner's alone. */
export async function recordFiles(
  directory: string,
  signal: AbortSignal,
  except: readonly string[] = [],
): Promise<readonly FileRecord[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .filter((path) => !except.includes(path))
    .toSorted();
  await using reader = new ContentReader(signal);
  const records: FileRecord[] = [];
  for (const path of paths) {
    const file = join(directory, path);
    await chmod(file, fileMode);
    const { digest = "", chunks } = await reader.read(file, { hasDigest: true });
    records.push({ path, digest, chunks, ...(await identityOf(file)) });
  }
  return records;
}

/** The same content under new identities, after it was read again and found whole. */
export async function renewIdentities(
  directory: string,
  records: readonly FileRecord[],
): Promise<readonly FileRecord[]> {
  return await Promise.all(
    records.map(async (record) => ({
      ...record,
      ...(await identityOf(join(directory, record.path))),
    })),
  );
}

/**
 * Records of files that are not, by inode, size and both times, those that were hashed. They may still have the same
 * content: a copy of the data directory has. A file of another size has not.
 */
export async function findTouched(
  directory: string,
  records: readonly FileRecord[],
): Promise<{ readonly touched: readonly FileRecord[]; readonly damage?: string }> {
  const findings = await Promise.all(
    records.map(async (record) => {
      try {
        const now = await identityOf(join(directory, record.path));
        if (now.sizeBytes !== record.sizeBytes) {
          return `${record.path} has ${now.sizeBytes} bytes instead of ${record.sizeBytes}`;
        }
        const isUntouched =
          now.inode === record.inode &&
          now.modifiedMs === record.modifiedMs &&
          now.changedMs === record.changedMs;
        return isUntouched ? undefined : record;
      } catch (error) {
        return `${record.path} cannot be read: ${(error as Error).message}`;
      }
    }),
  );
  const damage = findings.find((finding) => typeof finding === "string");
  const touched = findings.filter(
    (finding) => finding !== undefined && typeof finding !== "string",
  );
  return { touched, ...(damage === undefined ? {} : { damage }) };
}

/**
 * Undefined when every file is as it was recorded; else what is wrong with the first that is not. Only files that were
 * touched since they were hashed are read.
 */
export async function findDamage(
  directory: string,
  records: readonly FileRecord[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const { touched, damage } = await findTouched(directory, records);
  if (damage !== undefined) return damage;
  const [first] = await compareContent(directory, touched, { depth: "full", signal });
  return first;
}

/** Reads the files and says of each that is not what was recorded what is wrong with it. */
export async function compareContent(
  directory: string,
  records: readonly FileRecord[],
  options: {
    /** `fast` compares checksums, which finds accidents; `full` digests, which nobody can forge. */
    readonly depth: "fast" | "full";
    readonly signal: AbortSignal;
  },
): Promise<readonly string[]> {
  if (records.length === 0) return [];
  await using reader = new ContentReader(options.signal);
  const damage: string[] = [];
  for (const record of records) {
    const hasDigest = options.depth === "full" || record.chunks === undefined;
    try {
      const content = await reader.read(join(directory, record.path), { hasDigest });
      const difference = compare(record, content);
      if (difference !== undefined) damage.push(difference);
    } catch (error) {
      options.signal.throwIfAborted();
      damage.push(`${record.path} cannot be read: ${(error as Error).message}`);
    }
  }
  return damage;
}

function compare(record: FileRecord, content: FileContent): string | undefined {
  const { path, sizeBytes, digest, chunks } = record;
  if (content.sizeBytes !== sizeBytes) {
    return `${path} has ${content.sizeBytes} bytes instead of ${sizeBytes}`;
  }
  const at = chunks?.findIndex((chunk, index) => content.chunks[index] !== chunk) ?? -1;
  if (at >= 0) {
    return `${path} is not what was captured, between bytes ${at * chunkBytes} and ${Math.min((at + 1) * chunkBytes, sizeBytes)}`;
  }
  const isSame = content.digest === undefined || content.digest === digest;
  return isSame ? undefined : `${path} is not what was captured`;
}

async function identityOf(
  path: string,
): Promise<Pick<FileRecord, "sizeBytes" | "inode" | "modifiedMs" | "changedMs">> {
  const facts = await stat(path);
  return {
    sizeBytes: facts.size,
    inode: facts.ino,
    modifiedMs: facts.mtimeMs,
    changedMs: facts.ctimeMs,
  };
}
