import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { extract } from "tar-stream";
import type { Digest } from "../../registry-client/index.ts";
import type { DockerEngine } from "./connect.ts";
import { requestEngine } from "./errors.ts";

/** A blob that passes by in an export; it must be read to its end. */
export interface SavedBlob {
  /** Known before the bytes in archives of Docker 25 and newer, where the file is named after it. */
  readonly digest: Digest | undefined;
  readonly sizeBytes: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** What an export held: every layer's digest and size, and the small documents by name and by digest. */
export interface SavedImage {
  readonly sizes: ReadonlyMap<Digest, number>;
  readonly documents: ReadonlyMap<string, Buffer>;
}

/** Manifests and configs are smaller, and layers below it fit into memory until the manifest has told them apart. */
export const documentBytesMax: number = 1024 ** 2;

/**
 * Streams `docker save` and hands over each blob as it passes; nothing is staged. Small files are kept and
 * returned: which of them are layers is known only when the manifests have come, at the archive's end.
 */
export async function readSavedImage(options: {
  engine: DockerEngine;
  reference: string;
  onBlob: (blob: SavedBlob) => Promise<void>;
  signal?: AbortSignal | undefined;
}): Promise<SavedImage> {
  const { engine, reference, signal } = options;
  const archive = (await requestEngine(`export the image ${reference}`, { signal }, () =>
    engine.docker.getImage(reference).get(),
  )) as Readable;
  const entries = extract();
  const abort = (): void => void archive.destroy();
  signal?.addEventListener("abort", abort, { once: true });
  archive.on("error", (error) => entries.destroy(error));
  archive.on("close", () => archive.readableEnded || entries.destroy());
  archive.pipe(entries);
  const sizes = new Map<Digest, number>();
  const documents = new Map<string, Buffer>();
  try {
    for await (const source of entries) {
      const entry = source as typeof source & AsyncIterable<Uint8Array>;
      const { name, size, type } = entry.header;
      // Docker 20.10 writes the second of two equal layers as a link to the first.
      if (type === "file" && size > 0 && isBlob(name, size)) {
        const { digest, bytes } = countBlob({ name, sizeBytes: size, bytes: entry, sizes });
        await options.onBlob({ digest, sizeBytes: size, bytes });
      } else if (type === "file" && size <= documentBytesMax) {
        documents.set(name, await readAll(entry));
      }
      entry.resume();
    }
    signal?.throwIfAborted();
    await finished(archive);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
    archive.destroy();
  }
  return { sizes, documents };
}

/** Docker 20.10: `<id>/layer.tar`; Docker 25 and newer: `blobs/sha256/<digest>`, layers and documents alike. */
function isBlob(name: string, sizeBytes: number): boolean {
  return name.endsWith("/layer.tar") || (name.startsWith("blobs/") && sizeBytes > documentBytesMax);
}

/** Notes the digest of what passes through. */
function countBlob(options: {
  name: string;
  sizeBytes: number;
  bytes: AsyncIterable<Uint8Array>;
  sizes: Map<Digest, number>;
}): { digest: Digest | undefined; bytes: AsyncIterable<Uint8Array> } {
  const { name, sizeBytes, sizes } = options;
  const named = /^blobs\/sha256\/(?<hex>[0-9a-f]{64})$/.exec(name)?.groups?.["hex"];
  if (named !== undefined) {
    sizes.set(`sha256:${named}`, sizeBytes);
    return { digest: `sha256:${named}`, bytes: inLargePieces(options.bytes) };
  }
  const hash = createHash("sha256");
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of inLargePieces(options.bytes)) {
      hash.update(piece);
      yield piece;
    }
    sizes.set(`sha256:${hash.digest("hex")}`, sizeBytes);
  };
  return { digest: undefined, bytes: bytes() };
}

/** The engine writes pieces of about 20 KB; each would be a write of its own on the way to the registry. */
const pieceBytesMin = 256 * 1024;

async function* inLargePieces(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const piece of bytes) {
    pending.push(piece);
    pendingBytes += piece.length;
    if (pendingBytes < pieceBytesMin) continue;
    yield Buffer.concat(pending);
    pending = [];
    pendingBytes = 0;
  }
  if (pendingBytes > 0) yield Buffer.concat(pending);
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}
