import { readSync, openSync, closeSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import Docker from "dockerode";

/** What no container start on this machine can beat, measured in the same run. */
export interface EmptyStart {
  readonly createMs: number;
  readonly startMs: number;
}

/** What Docker alone takes, over the Engine API: a container of a small image that only sleeps, on a bridge network. */
export async function startEmptyContainer(): Promise<EmptyStart> {
  const docker = new Docker();
  const beganAt = performance.now();
  const container = await docker.createContainer({
    Image: "byom-base/python:3.11",
    Entrypoint: ["sleep"],
    Cmd: ["60"],
  });
  const createdAt = performance.now();
  try {
    await container.start();
    return { createMs: createdAt - beganAt, startMs: performance.now() - createdAt };
  } finally {
    await container.remove({ force: true });
  }
}

/** Rates in bytes per millisecond at which this machine copies a page image from the page cache. */
export interface CopyRates {
  /** Into memory that is touched for the first time, as a restore does it with small pages: each page is a fault. */
  readonly fresh: number;
  /** Into memory that is there already: the copy alone. */
  readonly warm: number;
}

/** A restore reads some megabytes with each call; so does this. */
const chunkBytes = 4 << 20;

/** Reads the largest page image below the directory, once to have it cached, then once into each kind of memory. */
export async function measureCopy(directory: string): Promise<CopyRates> {
  const path = await findLargestFile(directory);
  readInto(path, () => 0, Buffer.alloc(chunkBytes));
  const { size } = await stat(path);
  const fresh = Buffer.allocUnsafeSlow(size + chunkBytes);
  return {
    fresh: readInto(path, (position) => position, fresh),
    warm: readInto(path, () => 0, Buffer.alloc(chunkBytes)),
  };
}

function readInto(path: string, place: (position: number) => number, buffer: Buffer): number {
  const file = openSync(path, "r");
  try {
    const startedAt = performance.now();
    let bytes = 0;
    for (let read = 1; read > 0; bytes += read) {
      read = readSync(file, buffer, place(bytes), chunkBytes, bytes);
    }
    return bytes / (performance.now() - startedAt);
  } finally {
    closeSync(file);
  }
}

async function findLargestFile(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path, size: (await stat(path)).size };
      }),
  );
  const largest = files.toSorted((a, b) => b.size - a.size)[0];
  if (largest === undefined) throw new Error(`there is no snapshot in ${directory}`);
  return largest.path;
}
