import { open } from "node:fs/promises";

import { execa } from "execa";

/** One buffer for everything: the bytes are only to pass through the page cache. */
const chunkBytes = 4 << 20;

/**
 * Brings files into the page cache while the engine prepares the container, so that CRIU copies from memory. Files that
 * are there already are not touched (fincore(1)): reading them again would take a core away from the start.
 */
export async function readAhead(paths: readonly string[], signal: AbortSignal): Promise<void> {
  const missing = await findMissing(paths);
  const buffer = Buffer.allocUnsafe(missing.length > 0 ? chunkBytes : 0);
  for (const path of missing) {
    await using file = await open(path);
    let read = 1;
    while (read > 0 && !signal.aborted) ({ bytesRead: read } = await file.read(buffer));
  }
}

async function findMissing(paths: readonly string[]): Promise<readonly string[]> {
  const result = await execa(
    "fincore",
    ["--bytes", "--raw", "--noheadings", "--output", "RES,SIZE,FILE", ...paths],
    { reject: false, stdin: "ignore" },
  );
  if (result.failed) return paths;
  return result.stdout.split("\n").flatMap((line) => {
    const [resident, size, ...file] = line.split(" ");
    return Number(resident) < Number(size) ? [file.join(" ")] : [];
  });
}
