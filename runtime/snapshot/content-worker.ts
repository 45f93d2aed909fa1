import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { crc32 } from "node:zlib";

import { chunkBytes, type ContentRequest, type FileContent } from "./content.ts";

// Runs in a thread of its own: gigabytes are hashed while the thread that serves callers does that.
const buffer = Buffer.allocUnsafe(1 << 20);

parentPort?.on("message", ({ path, hasDigest }: ContentRequest) => {
  try {
    parentPort?.postMessage({ content: readContent(path, hasDigest) });
  } catch (error) {
    parentPort?.postMessage({ error: (error as Error).message });
  }
});

function readContent(path: string, hasDigest: boolean): FileContent {
  const hash = hasDigest ? createHash("sha256") : undefined;
  const chunks: number[] = [];
  const file = openSync(path, "r");
  try {
    let sizeBytes = 0;
    for (;;) {
      const read = readSync(file, buffer);
      if (read === 0) break;
      const part = buffer.subarray(0, read);
      const chunk = Math.floor(sizeBytes / chunkBytes);
      chunks[chunk] = crc32(part, chunks[chunk] ?? 0);
      hash?.update(part);
      sizeBytes += read;
    }
    return {
      sizeBytes,
      chunks,
      ...(hash === undefined ? {} : { digest: `sha256:${hash.digest("hex")}` }),
    };
  } finally {
    closeSync(file);
  }
}
