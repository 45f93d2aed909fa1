import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { fileRetentionMs } from "../limits.ts";
import type { StoredFile } from "./files.ts";

/**
 * The files of a folder that are complete and not expired, oldest first; the rest is removed.
 * `now`: milliseconds since the epoch.
 */
export function loadFileIndex(directory: string, now: number): Map<string, StoredFile> {
  const names = readdirSync(directory);
  const contents = new Set(names.filter((name) => name.endsWith(".content")));
  const files: StoredFile[] = [];
  for (const name of names.filter((candidate) => candidate.endsWith(".json"))) {
    const file = readEntry(join(directory, name));
    if (file === undefined || !contents.has(`${file.id}.content`)) continue;
    if (Date.parse(file.expiresAt) > now) files.push(file);
  }
  const kept = new Set(files.map((file) => file.id));
  for (const name of names) {
    if (!kept.has(name.replace(/\.(?:json|content)$/, ""))) {
      rmSync(join(directory, name), { recursive: true });
    }
  }
  files.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
  return new Map(files.map((file) => [file.id, file]));
}

/** Undefined for one that was cut short by a crash. */
function readEntry(path: string): StoredFile | undefined {
  try {
    const entry = JSON.parse(readFileSync(path, "utf8")) as Partial<StoredFile> &
      Pick<StoredFile, "id" | "name" | "contentType" | "sizeBytes" | "createdAt">;
    // Written before files had an end of their own.
    const expiresAt = new Date(Date.parse(entry.createdAt) + fileRetentionMs).toISOString();
    return { sha256: "", purpose: "upload", metadata: {}, expiresAt, ...entry };
  } catch {
    return undefined;
  }
}
