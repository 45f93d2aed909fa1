import { pipeline } from "node:stream/promises";
import type { Readable, Writable } from "node:stream";
import { constants, createZstdCompress, createZstdDecompress } from "node:zlib";

import { refuse } from "../verify/refusal.ts";

/** Memory compresses to a third at any level; level 1 keeps up with a network of some gigabits. */
const level = 1;
/** 8 MiB, what every decoder must take (RFC 8878, 3.1.1.1.2): a frame that asks for more memory is refused. */
const windowLogMax = 23;

/** The source's bytes as one zstd frame (RFC 8878). */
export async function* compress(
  source: Readable,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = createZstdCompress({
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
  const done = pipeline(source, encoder, { signal });
  // It is awaited below; until then a failure also ends the reading of the encoder.
  done.catch(() => {});
  for await (const chunk of encoder) yield chunk as Uint8Array;
  await done;
}

/**
 * Unpacks into `target`, and not one byte more than announced.
 * @throws SnapshotError `snapshot_refused` for a frame that is broken, longer or shorter.
 */
export async function decompress(
  source: Readable,
  target: Writable,
  options: { readonly what: string; readonly sizeBytes: number; readonly signal: AbortSignal },
): Promise<void> {
  const { what, sizeBytes, signal } = options;
  const decoder = createZstdDecompress({
    params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
  });
  let seen = 0;
  const count = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      seen += chunk.length;
      if (seen > sizeBytes) refuse(`${what} unpacks to more than its ${sizeBytes} bytes`);
      yield chunk;
    }
  };
  try {
    await pipeline(source, decoder, count, target, { signal });
  } catch (error) {
    signal.throwIfAborted();
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith("ZSTD_") || code?.startsWith("Z_")) refuse(`${what} does not unpack`);
    throw error;
  }
  if (seen !== sizeBytes) refuse(`${what} unpacks to ${seen} bytes instead of ${sizeBytes}`);
}
