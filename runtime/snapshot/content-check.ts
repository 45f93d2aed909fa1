import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import type { SnapshotDirectory, StoredSnapshot } from "./directory.ts";
import { compareContent, findTouched, renewIdentities, type FileRecord } from "./digests.ts";

/** Names the boot of the host in which the content was last read and found whole. */
export const checkedFile = "checked";
/** Descriptions of processes are kilobytes; all else is memory and files, which are checked while they are restored. */
const smallBytesMax = 4 << 20;

/**
 * Whether a snapshot is what was captured, without reading gigabytes before every start.
 *
 * A file that was written to since has other times, and is hashed in full before anything reads it. What only the disk
 * knows of (a bit that flipped there) can come to light only when bytes are read from the disk again: so content is
 * read and compared once after each boot of the host, and again when parts of it have left the page cache. Descriptions
 * are compared before they are parsed; memory and files, which are most of it, while the restore is under way: the result
 * is {@link BegunCheck.rest}, to be awaited before the restored instance takes traffic.
 */
export async function checkContent(
  directory: SnapshotDirectory,
  stored: StoredSnapshot,
  signal: AbortSignal,
): Promise<BegunCheck> {
  const path = directory.pathOf(stored.snapshot.id);
  const { touched, damage } = await findTouched(path, stored.files);
  if (damage !== undefined) return { damage };
  if (touched.length > 0) {
    const [first] = await compareContent(path, touched, { depth: "full", signal });
    if (first !== undefined) return { damage: first };
    await directory.rewrite({ ...stored, files: await renewIdentities(path, stored.files) });
  }
  const small = stored.files.filter(({ sizeBytes }) => sizeBytes <= smallBytesMax);
  const large = stored.files.filter(({ sizeBytes }) => sizeBytes > smallBytesMax);
  if (await wasCheckedSinceBoot(path)) return { rest: checkEvicted(path, stored.files, signal) };
  const [first] = await compareContent(path, small, { depth: "fast", signal });
  if (first !== undefined) return { damage: first };
  return { rest: checkAll(path, large, signal) };
}

export interface BegunCheck {
  /** It must not be restored. */
  readonly damage?: string;
  /** Resolves to what is wrong with it, if anything. Never rejects but with the signal's reason. */
  readonly rest?: Promise<string | undefined>;
}

/** The content was just read from the first byte to the last. */
export async function rememberChecked(path: string): Promise<void> {
  await writeFile(join(path, checkedFile), await bootId(), { mode: 0o600 });
}

async function checkAll(
  path: string,
  records: readonly FileRecord[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const [first] = await compareContent(path, records, { depth: "fast", signal });
  if (first === undefined) await rememberChecked(path);
  return first;
}

async function checkEvicted(
  path: string,
  records: readonly FileRecord[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const evicted = await findEvicted(path, records);
  const [first] = await compareContent(path, evicted, { depth: "fast", signal });
  return first;
}

/** Files that are not whole in the page cache (fincore(1)). */
async function findEvicted(
  path: string,
  records: readonly FileRecord[],
): Promise<readonly FileRecord[]> {
  const result = await execa(
    "fincore",
    [
      "--bytes",
      "--raw",
      "--noheadings",
      "--output",
      "RES,SIZE,FILE",
      ...records.map((record) => join(path, record.path)),
    ],
    { reject: false, stdin: "ignore" },
  );
  if (result.failed) return records;
  const resident = new Set(
    result.stdout.split("\n").flatMap((line) => {
      const [bytes, size, ...file] = line.split(" ");
      return Number(bytes) >= Number(size) ? [file.join(" ")] : [];
    }),
  );
  return records.filter((record) => !resident.has(join(path, record.path)));
}

async function wasCheckedSinceBoot(path: string): Promise<boolean> {
  const boot = await readFile(join(path, checkedFile), "utf8").catch(() => undefined);
  return boot !== undefined && boot === (await bootId());
}

async function bootId(): Promise<string> {
  return await readFile("/proc/sys/kernel/random/boot_id", "utf8");
}
