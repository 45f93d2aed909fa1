import { z } from "zod";

import { isDigest, type Digest } from "../../../registry-client/index.ts";
import { parseStored, type StoredSnapshot } from "../directory.ts";
import { verifyNames } from "../verify/files-on-disk.ts";
import { quoted, refuse } from "../verify/refusal.ts";

/** Media types of a snapshot in a registry (OCI image-spec 1.1, "Guidelines for Artifact Usage"). */
export const snapshotTypes = {
  artifact: "application/vnd.byom.snapshot.v1",
  document: "application/vnd.byom.snapshot.v1+json",
  files: "application/vnd.byom.snapshot.files.v1.tar+zstd",
  chunk: "application/vnd.byom.snapshot.chunk.v1+zstd",
} as const;

/** Annotations of the manifest. The signature is over {@link statement}. */
export const annotations = {
  keyId: "dev.byom.snapshot.key-id",
  signature: "dev.byom.snapshot.signature",
} as const;

/** Files below this travel together in one archive. */
export const smallFileBytes: number = 1 << 20;
/**
 * Bytes of a file in one layer, before compression: large enough for a few hundred requests a snapshot, small enough
 * that a broken connection costs little.
 */
export const chunkBytes: number = 128 * 2 ** 20;
/** Chunks of other platforms may be larger. */
const chunkBytesMax = 256 * 2 ** 20;
/** Paths, sizes and digests of some thousand files. */
export const documentBytesMax: number = 4 * 2 ** 20;

/** One layer and what it unpacks to. */
export interface SnapshotLayer {
  readonly digest: Digest;
  /** Compressed. */
  readonly size: number;
  /** Unpacked: a decompressor stops there. */
  readonly sizeBytes: number;
  /** Of a chunk: the file and the offset that it begins at. Absent: the archive of small files. */
  readonly chunk?: { readonly path: string; readonly offset: number } | undefined;
}

/**
 * What is signed: the snapshot's description and every layer. The config of its manifest, so that nothing of a snapshot
 * is read before the signature over this was found to be good.
 */
export interface SnapshotDocument {
  readonly image: Digest;
  readonly stored: StoredSnapshot;
  readonly layers: readonly SnapshotLayer[];
}

/** The bytes that a signature is over. */
export function statement(document: Digest, image: Digest): Uint8Array {
  return Buffer.from(`byom snapshot 1\n${document}\n${image}\n`);
}

/** In a fixed order, so that one snapshot has one digest. */
export function renderDocument({ image, stored, layers }: SnapshotDocument): Uint8Array {
  // What tells one disk's files apart says nothing on another.
  const files = stored.files.map(({ path, sizeBytes, digest }) => ({
    path,
    sizeBytes,
    digest,
    inode: 0,
    modifiedMs: 0,
    changedMs: 0,
  }));
  const snapshot = { format: 1, ...stored, files };
  return Buffer.from(JSON.stringify({ format: 1, image, snapshot, layers }));
}

/** @throws SnapshotError `snapshot_refused` for bytes that are no such document, or one that does not fit itself. */
export function parseDocument(
  bytes: Uint8Array,
  expected: { readonly image: Digest; readonly bytesMax: number },
): SnapshotDocument {
  const parsed = documentSchema.safeParse(parseJson(bytes));
  if (!parsed.success) return refuse(`its description is broken: ${z.prettifyError(parsed.error)}`);
  const { image, layers } = parsed.data;
  const stored = parseStored(parsed.data.snapshot);
  if (stored === undefined) return refuse("its description names no snapshot");
  if (image !== expected.image) refuse(`it belongs to the image ${quoted(image)}`);
  if (stored.snapshot.status !== "available") refuse(`it is ${stored.snapshot.status}`);
  verifyNames(stored.files, expected.bytesMax);
  verifyLayers(stored, layers);
  return { image, stored, layers };
}

/** Every large file is cut without gap or overlap; the others are in the one archive. */
function verifyLayers(stored: StoredSnapshot, layers: readonly SnapshotLayer[]): void {
  const ends = new Map<string, number>();
  for (const { chunk, sizeBytes } of layers) {
    if (chunk === undefined) continue;
    const end = ends.get(chunk.path) ?? 0;
    if (chunk.offset !== end || sizeBytes === 0) refuse(`${quoted(chunk.path)} is cut with a gap`);
    ends.set(chunk.path, end + sizeBytes);
  }
  const archives = layers.filter((layer) => layer.chunk === undefined);
  const small = stored.files.filter((file) => !ends.has(file.path));
  if (archives.length > 1) refuse("it has more than one archive of small files");
  if (archives.length === 0 && small.length > 0) refuse("it lacks the archive of small files");
  for (const file of stored.files) {
    const end = ends.get(file.path);
    if (end !== undefined && end !== file.sizeBytes) {
      refuse(`${quoted(file.path)} has ${end} bytes in layers instead of ${file.sizeBytes}`);
    }
    ends.delete(file.path);
  }
  const [unknown] = ends.keys();
  if (unknown !== undefined)
    refuse(`it has layers of ${quoted(unknown)}, which is none of its files`);
  // An entry of the archive takes a header and the rest of its last block; longer ones would be a bomb.
  const bytes = small.reduce((sum, { sizeBytes }) => sum + sizeBytes + 1024, 10_240);
  if ((archives[0]?.sizeBytes ?? 0) > bytes) refuse("its archive of small files is too long");
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

const layerSchema = z.object({
  digest: z.custom<Digest>((value) => typeof value === "string" && isDigest(value)),
  size: z.number().int().positive(),
  sizeBytes: z.number().int().nonnegative().max(chunkBytesMax),
  chunk: z.object({ path: z.string(), offset: z.number().int().nonnegative() }).optional(),
});

const documentSchema = z.object({
  format: z.literal(1),
  image: z.custom<Digest>((value) => typeof value === "string" && isDigest(value)),
  snapshot: z.unknown(),
  layers: z.array(layerSchema).min(1).max(100_000),
});
