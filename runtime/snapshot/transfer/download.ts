import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

import { extract } from "tar-stream";

import { DigestMismatchError, type Digest } from "../../../registry-client/index.ts";
import type { FileRecord } from "../digests.ts";
import { quoted, refuse } from "../verify/refusal.ts";
import { eachBounded } from "./bounded.ts";
import { decompress } from "./compression.ts";
import { snapshotTypes, type SnapshotDocument, type SnapshotLayer } from "./document.ts";
import type { SnapshotPlace } from "./transfer.ts";

/** Beginning of the names of unfinished pulls, which are no snapshots. */
const unfinishedPrefix = ".pull-";
/** Compressed layers that are not whole or not unpacked yet. */
const partsFolder = "parts";
/** An unfinished pull is taken up again within this time, then its space is given back. */
const unfinishedAgeMsMax = 24 * 3600 * 1000;
/** Layers that are fetched at once; unpacking takes about a core each. */
const downloadConcurrency = 4;

/** The directory of a pull, as an interrupted one left it. Old ones of other snapshots are removed. */
export async function openDownload(directory: string, digest: Digest): Promise<string> {
  const own = unfinishedPrefix + digest.slice("sha256:".length, "sha256:".length + 32);
  for (const name of await readdir(directory)) {
    if (!name.startsWith(unfinishedPrefix) || name === own) continue;
    const { mtimeMs } = await stat(join(directory, name));
    if (Date.now() - mtimeMs > unfinishedAgeMsMax) {
      await rm(join(directory, name), { recursive: true, force: true });
    }
  }
  const path = join(directory, own);
  await mkdir(join(path, partsFolder), { recursive: true, mode: 0o700 });
  await mkdir(join(path, "images"), { recursive: true, mode: 0o700 });
  await utimes(path, new Date(), new Date());
  return path;
}

/**
 * Fetches every layer and unpacks it, once its digest was found to be right. What is there already is not fetched again.
 * @throws SnapshotError `snapshot_refused`; RegistryError family; the signal's reason. The directory then stays, for the
 * next try.
 */
export async function download(
  directory: string,
  document: SnapshotDocument,
  context: {
    readonly place: SnapshotPlace;
    readonly onBytes: (bytes: number) => void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { signal } = context;
  await eachBounded(
    [...document.layers.entries()],
    { concurrency: downloadConcurrency, signal },
    async ([at, layer], aborted) => {
      const part = join(directory, partsFolder, String(at));
      if (await isDone(part)) return;
      await fetchLayer(part, layer, { ...context, signal: aborted });
      const unpacked = { layer, what: `layer ${layer.digest.slice(0, 19)}`, signal: aborted };
      if (layer.chunk === undefined) {
        await unpackSmall(directory, part, { ...unpacked, files: document.stored.files });
      } else {
        await unpackChunk(join(directory, layer.chunk.path), part, unpacked);
      }
      await writeFile(`${part}.done`, "");
      await rm(part);
    },
  );
  await rm(join(directory, partsFolder), { recursive: true });
}

async function isDone(part: string): Promise<boolean> {
  return await stat(`${part}.done`).then(
    () => true,
    () => false,
  );
}

interface Fetch {
  readonly place: SnapshotPlace;
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** Goes on behind what an earlier try has left; when that was no good, anew. */
async function fetchLayer(part: string, layer: SnapshotLayer, context: Fetch): Promise<void> {
  const isResumed = await stat(part).then(
    (facts) => facts.size > 0,
    () => false,
  );
  if (await fetchRest(part, layer, context)) return;
  await rm(part, { force: true });
  if (isResumed && (await fetchRest(part, layer, context))) return;
  await rm(part, { force: true });
  refuse(`its layer ${layer.digest.slice(0, 19)} is not what was signed`);
}

/** @returns whether the whole has the right digest. */
async function fetchRest(
  part: string,
  { digest, size }: SnapshotLayer,
  { place, onBytes, signal }: Fetch,
): Promise<boolean> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
  await using file = await open(part, flags, 0o600);
  const hash = createHash("sha256");
  let offset = 0;
  for await (const chunk of file.createReadStream({ autoClose: false, start: 0, signal })) {
    hash.update(chunk as Buffer);
    offset += (chunk as Buffer).length;
  }
  const { client, repository } = place;
  try {
    const descriptor = { mediaType: snapshotTypes.chunk, digest, size };
    const rest = offset < size ? client.getBlob(repository, descriptor, { offset, signal }) : [];
    for await (const chunk of rest) {
      await file.write(chunk, 0, chunk.byteLength, offset);
      hash.update(chunk);
      offset += chunk.byteLength;
      onBytes(chunk.byteLength);
    }
  } catch (error) {
    if (error instanceof DigestMismatchError) return false;
    throw error;
  }
  return offset === size && `sha256:${hash.digest("hex")}` === digest;
}

async function unpackChunk(
  path: string,
  part: string,
  work: { readonly layer: SnapshotLayer; readonly what: string; readonly signal: AbortSignal },
): Promise<void> {
  const { layer, what, signal } = work;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o600);
  const target = file.createWriteStream({ start: layer.chunk?.offset ?? 0 });
  await decompress(await readPart(part), target, { what, sizeBytes: layer.sizeBytes, signal });
}

/** The archive may hold the small files of the description, at their sizes, and nothing else. */
async function unpackSmall(
  directory: string,
  part: string,
  work: {
    readonly layer: SnapshotLayer;
    readonly what: string;
    readonly files: readonly FileRecord[];
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { layer, what, files, signal } = work;
  const archive = extract();
  const seen = new Set<string>();
  const writeEntry = async (
    header: { readonly name: string; readonly size?: number; readonly type?: string | null },
    content: AsyncIterable<Uint8Array>,
  ): Promise<void> => {
    const known = files.find(({ path }) => path === header.name);
    const isExpected = header.type === "file" && known?.sizeBytes === header.size;
    if (!isExpected || seen.has(header.name))
      refuse(`${what} has the entry ${quoted(header.name)}`);
    seen.add(header.name);
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) chunks.push(chunk);
    const path = join(directory, header.name);
    // One that an interrupted pull has left.
    await rm(path, { force: true });
    await writeFile(path, Buffer.concat(chunks), { mode: 0o600, flag: "wx" });
  };
  archive.on("entry", (header, content, next) => {
    writeEntry(header, content as unknown as AsyncIterable<Uint8Array>)
      // oxlint-disable-next-line no-callback-in-promise -- tar-stream goes on by its callback
      .then(() => next())
      .catch((error: unknown) => archive.destroy(error as Error));
  });
  // streamx's Writable is not Node's by its type; `pipeline` takes both.
  const target = archive as unknown as Writable;
  await decompress(await readPart(part), target, { what, sizeBytes: layer.sizeBytes, signal });
}

async function readPart(part: string): Promise<Readable> {
  const file = await open(part, constants.O_RDONLY | constants.O_NOFOLLOW);
  return file.createReadStream({ highWaterMark: readBytes });
}

const readBytes = 1 << 20;
