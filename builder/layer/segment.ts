import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { Digest } from "../../registry-client/index.ts";
import { FileChangedError } from "./errors.ts";
import { describeChange, stampOf } from "./file-stamp.ts";
import type { FileStamp } from "./file-stamp.ts";

/** A stretch of a blob: bytes in memory, or a whole file of the repo in the state that `stamp` names. */
export type Segment =
  | { readonly kind: "buffer"; readonly bytes: Buffer }
  | { readonly kind: "file"; readonly path: string; readonly stamp: FileStamp };

/** One read of a file: large enough that the syscall does not count, small beside the memory limit of a push. */
const readBytes = 1024 * 1024;

export function segmentsSizeBytes(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + sizeOf(segment), 0);
}

/**
 * The blob's bytes from `offset` to the end. Every file is checked against its stamp before and after it is read.
 * @throws FileChangedError that names the file.
 */
export async function* readSegments(options: {
  segments: readonly Segment[];
  offset?: number | undefined;
  signal?: AbortSignal | undefined;
}): AsyncGenerator<Buffer, void, undefined> {
  let skipBytes = options.offset ?? 0;
  for (const segment of options.segments) {
    options.signal?.throwIfAborted();
    const sizeBytes = sizeOf(segment);
    if (skipBytes >= sizeBytes) {
      skipBytes -= sizeBytes;
      continue;
    }
    if (segment.kind === "buffer") yield segment.bytes.subarray(skipBytes);
    else yield* readStampedFile({ ...segment, offset: skipBytes, signal: options.signal });
    skipBytes = 0;
  }
}

/** SHA-256 over all bytes; `onBytes` hears of each piece so that progress can be shown. */
export async function hashSegments(options: {
  segments: readonly Segment[];
  onBytes?: ((bytes: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of readSegments(options)) {
    hash.update(chunk);
    options.onBytes?.(chunk.length);
  }
  return `sha256:${hash.digest("hex")}`;
}

function sizeOf(segment: Segment): number {
  return segment.kind === "buffer" ? segment.bytes.length : segment.stamp.sizeBytes;
}

async function* readStampedFile(options: {
  path: string;
  stamp: FileStamp;
  offset: number;
  signal?: AbortSignal | undefined;
}): AsyncGenerator<Buffer, void, undefined> {
  const { path, stamp } = options;
  const file = await openFile(path);
  // The next read runs while the caller hashes or sends the last one.
  let next: Promise<Buffer> | undefined;
  try {
    await checkStamp({ file, path, stamp });
    let position = options.offset;
    while (position < stamp.sizeBytes) {
      options.signal?.throwIfAborted();
      const piece = await (next ?? readPiece({ file, path, stamp, position }));
      position += piece.length;
      next = position < stamp.sizeBytes ? readPiece({ file, path, stamp, position }) : undefined;
      // The caller may be done with this piece much later; until then a failed read must not count as unhandled.
      next?.catch(() => undefined);
      yield piece;
    }
    await checkStamp({ file, path, stamp });
  } finally {
    await next?.catch(() => undefined);
    await file.close();
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new FileChangedError({ path, change: "it is gone", cause: error });
  }
}

async function checkStamp(options: {
  file: FileHandle;
  path: string;
  stamp: FileStamp;
}): Promise<void> {
  const now = stampOf(await options.file.stat({ bigint: true }));
  const change = describeChange(options.stamp, now);
  if (change !== undefined) throw new FileChangedError({ path: options.path, change });
}

async function readPiece(options: {
  file: FileHandle;
  path: string;
  stamp: FileStamp;
  position: number;
}): Promise<Buffer> {
  const length = Math.min(readBytes, options.stamp.sizeBytes - options.position);
  const buffer = Buffer.allocUnsafeSlow(length);
  const { bytesRead } = await options.file.read(buffer, 0, length, options.position);
  if (bytesRead === 0)
    throw new FileChangedError({ path: options.path, change: "it became shorter" });
  return buffer.subarray(0, bytesRead);
}
