import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { fileRetentionMs } from "../limits.ts";

/** An uploaded file, an input of predictions to come. */
export interface StoredFile {
  readonly id: string;
  readonly name: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** Files sent to `/v1/files`, on disk, found again after a restart. */
export interface FileStore {
  save(options: {
    readonly name: string;
    readonly contentType: string;
    readonly bytes: Buffer;
  }): Promise<StoredFile>;
  get(id: string): StoredFile | undefined;
  list(): readonly StoredFile[];
  read(id: string): Promise<Buffer>;
  remove(id: string): Promise<void>;
  /** The input with every URL of a stored file replaced by its content as a data URI, which any instance can read. */
  inline(input: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
}

const fileUrl = /^https?:\/\/[^/]+\/v1\/files\/([A-Za-z0-9_-]+)(?:\/content)?$/;

export function openFileStore(options: {
  readonly directory: string;
  readonly idSource: () => string;
  readonly clock: () => number;
}): FileStore {
  const { directory } = options;
  mkdirSync(directory, { recursive: true });
  const files = loadIndex(directory, options.clock() - fileRetentionMs);
  const contentPath = (id: string): string => join(directory, `${id}.content`);
  const read = (id: string): Promise<Buffer> => readFile(contentPath(id));
  return {
    async save({ name, contentType, bytes }) {
      const file: StoredFile = {
        id: options.idSource(),
        name,
        contentType,
        sizeBytes: bytes.length,
        createdAt: new Date(options.clock()).toISOString(),
      };
      await writeFile(contentPath(file.id), bytes, { mode: 0o600 });
      // Last, so that a file in the index is a complete one.
      await writeFile(join(directory, `${file.id}.json`), JSON.stringify(file), { mode: 0o600 });
      files.set(file.id, file);
      return file;
    },
    get: (id) => files.get(id),
    list: () => [...files.values()].toReversed(),
    read,
    async remove(id) {
      if (!files.delete(id)) return;
      await rm(join(directory, `${id}.json`), { force: true });
      await rm(contentPath(id), { force: true });
    },
    async inline(input) {
      return (await replaceStrings(input, async (text) => {
        const file = files.get(fileUrl.exec(text)?.[1] ?? "");
        if (file === undefined) return text;
        return `data:${file.contentType};base64,${(await read(file.id)).toString("base64")}`;
      })) as Readonly<Record<string, unknown>>;
    },
  };
}

/** Files that are complete and not too old; the rest is removed. */
function loadIndex(directory: string, oldestMs: number): Map<string, StoredFile> {
  const files: StoredFile[] = [];
  const names = readdirSync(directory);
  for (const name of names.filter((candidate) => candidate.endsWith(".json"))) {
    try {
      const file = JSON.parse(readFileSync(join(directory, name), "utf8")) as StoredFile;
      if (Date.parse(file.createdAt) >= oldestMs) files.push(file);
    } catch {
      // Cut short by a crash: removed below.
    }
  }
  const kept = new Set(files.map((file) => file.id));
  for (const name of names) {
    if (!kept.has(name.replace(/\.(?:json|content)$/, ""))) rmSync(join(directory, name));
  }
  files.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
  return new Map(files.map((file) => [file.id, file]));
}

async function replaceStrings(
  value: unknown,
  replace: (text: string) => Promise<string>,
): Promise<unknown> {
  if (typeof value === "string") return value.length < 2048 ? replace(value) : value;
  if (Array.isArray(value)) {
    return Promise.all(value.map((item: unknown) => replaceStrings(item, replace)));
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = await Promise.all(
    Object.entries(value).map(
      async ([key, item]) => [key, await replaceStrings(item, replace)] as const,
    ),
  );
  return Object.fromEntries(entries);
}
