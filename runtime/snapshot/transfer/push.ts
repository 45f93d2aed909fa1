import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";

import { pack } from "tar-stream";

import {
  blobFromBytes,
  pushImage,
  RegistryConnectionError,
  type Descriptor,
} from "../../../registry-client/index.ts";
import { NotFoundError, SnapshotError } from "../../errors.ts";
import { compareContent, type FileRecord } from "../digests.ts";
import type { StoredSnapshot } from "../directory.ts";
import { isKnownPath } from "../verify/files-on-disk.ts";
import { eachBounded } from "./bounded.ts";
import { compress } from "./compression.ts";
import {
  annotations,
  chunkBytes,
  renderDocument,
  smallFileBytes,
  snapshotTypes,
  statement,
  type SnapshotLayer,
} from "./document.ts";
import { PushJournal } from "./journal.ts";
import type { PushedSnapshot, SnapshotPush } from "./transfer.ts";

/** Chunks that are compressed and sent at once: one thread of zstd each, some megabytes of memory each. */
const uploadConcurrency = 3;
/** A stream whose digest is known at its end cannot be taken up again, so a broken one is sent anew. */
const triesPerChunk = 3;

/** A layer to be: the archive of small files, or a piece of a large one. */
interface Piece {
  readonly sizeBytes: number;
  readonly chunk?: { readonly file: FileRecord; readonly offset: number };
}

/**
 * Pushes a snapshot beside its image, as a referrer of it, signed with the platform's key. It is compressed on the way,
 * without a temporary file; chunks that an interrupted push has brought there are not sent again.
 * @throws NotFoundError `snapshot_not_found`; SnapshotError `snapshot_refused` for one that holds secrets,
 * `snapshot_damaged` for one that is not what was captured; RegistryError family; the signal's reason.
 */
export async function pushSnapshot(input: SnapshotPush): Promise<PushedSnapshot> {
  const { directory, snapshotId, place, keys, signal } = input;
  const { client, repository, image } = place;
  const stored = await directory.read(snapshotId);
  if (stored === undefined) {
    throw new NotFoundError("snapshot_not_found", `there is no snapshot ${snapshotId}`);
  }
  assertMayLeave(stored);
  const path = directory.pathOf(snapshotId);
  const [damage] = await compareContent(path, stored.files, { depth: "full", signal });
  if (damage !== undefined) {
    throw new SnapshotError("snapshot_damaged", `the snapshot is damaged: ${damage}`);
  }
  const subject = await readSubject(input);
  const { layers, uploadedBytes } = await pushPieces(input, stored, path);
  const document = renderDocument({ image, stored, layers });
  const config = blobFromBytes(document, { mediaType: snapshotTypes.document });
  const { keyId, signature } = keys.sign(statement(config.descriptor.digest, image));
  const pushed = await pushImage({
    client,
    repository,
    configBytes: document,
    configMediaType: snapshotTypes.document,
    layers: layers.map(toDescriptor),
    artifactType: snapshotTypes.artifact,
    subject,
    annotations: {
      "org.opencontainers.image.created": stored.snapshot.createdAt,
      [annotations.keyId]: keyId,
      [annotations.signature]: signature,
    },
    signal,
  });
  const totalBytes = layers.reduce((sum, { size }) => sum + size, 0);
  return {
    reference: pushed.reference,
    digest: pushed.digest,
    uploadedBytes,
    skippedBytes: totalBytes - uploadedBytes,
    sizeBytes: stored.snapshot.sizeBytes,
  };
}

/** What no other machine may see, or could use. */
function assertMayLeave({ snapshot, files }: StoredSnapshot): void {
  const refused = (message: string, hint: string): SnapshotError =>
    new SnapshotError("snapshot_refused", message, { hint });
  if (snapshot.status !== "available") {
    throw refused(`the snapshot is ${snapshot.status}`, "capture the version again");
  }
  const { holdsSecrets = [] } = snapshot;
  if (holdsSecrets.length > 0) {
    throw refused(
      `the snapshot holds secrets in its memory: ${holdsSecrets.join(", ")}`,
      "read secrets in predict() or in after_restore(), not in setup(), and capture the version again",
    );
  }
  if (snapshot.gpu !== undefined || snapshot.key.gpu !== "") {
    throw refused(
      "snapshots of models on GPUs do not travel",
      "let the other machine capture its own",
    );
  }
  const strange = files.find((file) => !isKnownPath(file.path));
  if (strange !== undefined) {
    throw refused(
      `the snapshot has ${strange.path}, which no other platform accepts`,
      "let the other machine capture its own",
    );
  }
}

async function readSubject({ place, signal }: SnapshotPush): Promise<Descriptor> {
  const { client, repository, image } = place;
  const head = await client.headManifest(repository, image, { signal });
  if (head !== undefined) {
    const { bytes, mediaType } = await client.getManifest(repository, image, { signal });
    return { mediaType, digest: image, size: bytes.byteLength };
  }
  throw new NotFoundError(
    "version_not_found",
    `the image ${image} is not in ${client.registry}/${repository}`,
    { hint: "push the model first: its snapshots are kept beside its image" },
  );
}

async function pushPieces(
  input: SnapshotPush,
  stored: StoredSnapshot,
  path: string,
): Promise<{ readonly layers: readonly SnapshotLayer[]; readonly uploadedBytes: number }> {
  const { directory, snapshotId, place, onEvent, signal } = input;
  const { client, repository } = place;
  const pieces = cut(stored.files);
  const { sizeBytes } = stored.snapshot;
  const chunks = pieces.length;
  onEvent?.({ type: "snapshot-push-start", snapshotId, sizeBytes, chunks });
  const journal = await PushJournal.open(directory, snapshotId, `${client.registry}/${repository}`);
  const layers: SnapshotLayer[] = [];
  let uploadedBytes = 0;
  let chunksDone = 0;
  const report = (type: "snapshot-push-progress" | "snapshot-push-end"): void =>
    onEvent?.({ type, snapshotId, chunksDone, chunks, uploadedBytes });
  await eachBounded(
    [...pieces.entries()],
    { concurrency: uploadConcurrency, signal },
    async ([at, piece], aborted) => {
      const name = nameOf(piece);
      const known = journal.find(name);
      const isThere =
        known !== undefined &&
        (await client.findBlob(repository, toDescriptor(known), { signal: aborted })) !== undefined;
      const layer = isThere ? known : await pushPiece(input, { piece, stored, path }, aborted);
      if (!isThere) {
        uploadedBytes += layer.size;
        await journal.add(name, layer);
      }
      layers[at] = layer;
      chunksDone += 1;
      report("snapshot-push-progress");
    },
  );
  report("snapshot-push-end");
  return { layers, uploadedBytes };
}

/** The small files first: without them the rest is of no use. */
function cut(files: readonly FileRecord[]): readonly Piece[] {
  const small = files.filter((file) => file.sizeBytes < smallFileBytes);
  const archive: Piece[] = small.length === 0 ? [] : [{ sizeBytes: archiveBytes(small) }];
  const chunks = files
    .filter((file) => file.sizeBytes >= smallFileBytes)
    .flatMap((file) =>
      Array.from({ length: Math.ceil(file.sizeBytes / chunkBytes) }, (_, index) => ({
        sizeBytes: Math.min(chunkBytes, file.sizeBytes - index * chunkBytes),
        chunk: { file, offset: index * chunkBytes },
      })),
    );
  return [...archive, ...chunks];
}

/** A header and whole blocks for every file, and two empty blocks (POSIX.1-2017, ustar). */
function archiveBytes(small: readonly FileRecord[]): number {
  return small.reduce((sum, file) => sum + 512 + Math.ceil(file.sizeBytes / 512) * 512, 1024);
}

function nameOf({ chunk, sizeBytes }: Piece): string {
  return chunk === undefined ? "files" : `${chunk.file.digest}@${chunk.offset}+${sizeBytes}`;
}

async function pushPiece(
  { place }: SnapshotPush,
  work: { readonly piece: Piece; readonly stored: StoredSnapshot; readonly path: string },
  signal: AbortSignal,
): Promise<SnapshotLayer> {
  const { piece, stored, path } = work;
  const { chunk, sizeBytes } = piece;
  const mediaType = chunk === undefined ? snapshotTypes.files : snapshotTypes.chunk;
  for (let tries = 1; ; tries += 1) {
    const source =
      chunk === undefined
        ? await packSmall(path, stored.files)
        : await openChunk(join(path, chunk.file.path), chunk.offset, sizeBytes);
    try {
      const { digest, size } = await place.client.pushBlobStream(
        place.repository,
        compress(source, signal),
        { mediaType, signal },
      );
      if (chunk === undefined) return { digest, size, sizeBytes };
      return { digest, size, sizeBytes, chunk: { path: chunk.file.path, offset: chunk.offset } };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RegistryConnectionError) || tries === triesPerChunk) throw error;
    } finally {
      source.destroy();
    }
  }
}

async function openChunk(path: string, offset: number, sizeBytes: number): Promise<Readable> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  return file.createReadStream({
    start: offset,
    end: offset + sizeBytes - 1,
    highWaterMark: readBytes,
  });
}

const readBytes = 1 << 20;

/** One after another: together they are some megabytes, and never all in memory. */
async function packSmall(path: string, files: readonly FileRecord[]): Promise<Readable> {
  const archive = pack();
  const add = async (): Promise<void> => {
    for (const file of files) {
      if (file.sizeBytes >= smallFileBytes) continue;
      const content = await readFile(join(path, file.path));
      await new Promise<void>((resolve, reject) => {
        archive.entry(
          { name: file.path, size: content.length, mode: 0o600, mtime: new Date(0) },
          content,
          (error) => (error ? reject(error) : resolve()),
        );
      });
    }
    archive.finalize();
  };
  add().catch((error: unknown) => archive.destroy(error as Error));
  return Readable.from(archive);
}

function toDescriptor({ digest, size, sizeBytes, chunk }: SnapshotLayer): Descriptor {
  return {
    mediaType: chunk === undefined ? snapshotTypes.files : snapshotTypes.chunk,
    digest,
    size,
    annotations: {
      "dev.byom.snapshot.size": String(sizeBytes),
      ...(chunk === undefined
        ? {}
        : {
            "dev.byom.snapshot.file": chunk.path,
            "dev.byom.snapshot.offset": String(chunk.offset),
          }),
    },
  };
}
