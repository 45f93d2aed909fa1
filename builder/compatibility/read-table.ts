import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CompatibilityTableError, reasonOf } from "../errors.ts";
import { compatibilityTableSchema, type CompatibilityTable } from "./table.ts";

/** A table of this size is some other file: the bundled one is a hundredth of it. */
const tableBytesMax = 2 * 1024 * 1024;

/** Enough to see what kind of mistake it is. */
const issuesShownMax = 5;

/** A table is a few KiB: a server that takes longer does not answer. */
const downloadTimeoutMs = 30_000;

export interface LoadedTable {
  readonly table: CompatibilityTable;
  /** `bundled`, or the file that an update left. */
  readonly origin: string;
}

/**
 * The newer of the table of this release and the one that an update left in the data directory. Reads files only.
 * @throws CompatibilityTableError when the updated one is broken.
 */
export async function readCompatibilityTable(options: {
  readonly dataDirectory: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<LoadedTable> {
  const bundled = await readBundledTable(options.signal);
  const file = updatedTableFile(options.dataDirectory);
  const text = await readIfPresent(file, options.signal);
  if (text === undefined) return { table: bundled, origin: "bundled" };
  const table = parseTable(text, file);
  // Dates are YYYY-MM-DD: their order is the order of their letters.
  return table.date > bundled.date
    ? { table, origin: file }
    : { table: bundled, origin: "bundled" };
}

/**
 * Takes a table from a file or an `http(s)://` address, checks it and puts it in place of the one before, at once or
 * not at all.
 * @throws CompatibilityTableError for what cannot be read, is too large or is no table.
 */
export async function updateCompatibilityTable(options: {
  readonly dataDirectory: string;
  readonly source: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<CompatibilityTable> {
  const { dataDirectory, source, signal } = options;
  const text = await readSource(source, signal);
  const table = parseTable(text, source);
  const file = updatedTableFile(dataDirectory);
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.${randomUUID()}`;
  await writeFile(partial, text, signal === undefined ? {} : { signal });
  await rename(partial, file);
  return table;
}

/** Goes back to the table of this release. */
export async function resetCompatibilityTable(dataDirectory: string): Promise<void> {
  await rm(updatedTableFile(dataDirectory), { force: true });
}

async function readSource(source: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    const text = /^https?:\/\//.test(source)
      ? await download(source, signal)
      : await readFile(source, { encoding: "utf8", ...(signal === undefined ? {} : { signal }) });
    if (Buffer.byteLength(text) <= tableBytesMax) return text;
  } catch (cause) {
    signal?.throwIfAborted();
    throw new CompatibilityTableError({ source, problem: reasonOf(cause), cause });
  }
  throw new CompatibilityTableError({ source, problem: `more than ${tableBytesMax} bytes` });
}

async function download(source: string, signal: AbortSignal | undefined): Promise<string> {
  const limit = AbortSignal.timeout(downloadTimeoutMs);
  const response = await fetch(source, {
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
  });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > tableBytesMax) throw new Error(`more than ${tableBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The table of this release; a test checks that it is a good one. */
export async function readBundledTable(signal?: AbortSignal): Promise<CompatibilityTable> {
  const text = await readFile(new URL("bundled.json", import.meta.url), {
    encoding: "utf8",
    ...(signal === undefined ? {} : { signal }),
  });
  return JSON.parse(text) as CompatibilityTable;
}

function updatedTableFile(dataDirectory: string): string {
  return join(dataDirectory, "compatibility.json");
}

function parseTable(text: string, source: string): CompatibilityTable {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CompatibilityTableError({ source, problem: "not JSON", cause });
  }
  const parsed = compatibilityTableSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  const rest = issues.length > issuesShownMax ? `; and ${issues.length - issuesShownMax} more` : "";
  throw new CompatibilityTableError({
    source,
    problem: `${issues.slice(0, issuesShownMax).join("; ")}${rest}`,
  });
}

async function readIfPresent(
  file: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  try {
    return await readFile(file, { encoding: "utf8", ...(signal === undefined ? {} : { signal }) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
