import { Readable } from "node:stream";
import { z } from "zod";
import { digestOf, parseReference } from "../../registry-client/index.ts";
import type { Descriptor, Digest } from "../../registry-client/index.ts";
import type { OnBuilderEvent } from "../events.ts";
import type { Image, ImageLayer } from "../image.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../layer/tar-header.ts";
import type { BuilderStore } from "../store.ts";
import { readAnswerLines } from "./answer-lines.ts";
import type { DockerEngine } from "./connect.ts";
import { findEngineImage } from "./engine-image.ts";
import { findEnvironmentLayers } from "./environment-layers.ts";
import { ImageLoadError, requestEngine } from "./errors.ts";
import { renderManifest } from "./manifest.ts";

interface LoadRequest {
  readonly engine: DockerEngine;
  readonly image: Image;
  readonly store: BuilderStore;
  readonly onEvent?: OnBuilderEvent | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes the engine have the image under its name. Only layers that the engine lacks travel: those above what it
 * has of an earlier build of this name. Streams from the repo's files; nothing is staged.
 * @throws ImageLoadError, FileChangedError, EngineRequestError.
 */
export async function loadIntoEngine(request: LoadRequest): Promise<void> {
  const { engine, image, onEvent, signal } = request;
  const start = performance.now();
  const present = await findEngineImage({ engine, reference: image.name, signal });
  const finish = (isCached: boolean): void => {
    onEvent?.({
      type: "image-load-end",
      name: image.name,
      ms: performance.now() - start,
      isCached,
    });
  };
  const known = request.store.find("engine-image", image.id);
  if (present !== undefined && (present.id === image.id || present.id === known)) {
    finish(true);
    return;
  }
  const shared = countShared({ image, diffIds: present?.diffIds ?? [] });
  try {
    await load({ ...request, layers: image.layers.slice(shared) });
  } catch (error) {
    // What is left of an earlier image may have been pruned below it: send everything above the environment.
    if (shared === 0 || !(error instanceof ImageLoadError)) throw error;
    await load({ ...request, layers: image.layers });
  }
  finish(false);
}

/** How many of our layers, from the lowest, the image in the engine has in the same place. */
function countShared(options: { image: Image; diffIds: readonly Digest[] }): number {
  const { environment, layers } = options.image;
  const isSameEnvironment = environment.diffIds.every(
    (diffId, index) => options.diffIds[index] === diffId,
  );
  if (!isSameEnvironment) return 0;
  const above = options.diffIds.slice(environment.diffIds.length);
  const different = layers.findIndex(
    ({ source }, index) => above[index] !== source.descriptor.digest,
  );
  return different === -1 ? layers.length : different;
}

async function load(
  request: LoadRequest & { readonly layers: readonly ImageLayer[] },
): Promise<void> {
  const { engine, image, store, onEvent, signal } = request;
  const archive = await planArchive(request);
  onEvent?.({ type: "image-load-start", name: image.name, sizeBytes: archive.sizeBytes });
  const stream = Readable.from(readArchive({ ...request, archive }), { objectMode: false });
  // A file that changes while it is sent ends the request with a mere reset; the cause is kept here.
  let streamError: Error | undefined;
  stream.on("error", (error) => (streamError = error));
  try {
    const answer = await requestEngine(`load the image ${image.name}`, { signal }, () =>
      engine.docker.loadImage(stream, {
        quiet: true,
        ...(signal === undefined ? {} : { abortSignal: signal }),
      }),
    );
    await readLoadAnswer({ answer: answer as Readable, imageName: image.name });
  } catch (error) {
    signal?.throwIfAborted();
    throw streamError ?? error;
  } finally {
    stream.destroy();
  }
  const loaded = await findEngineImage({ engine, reference: image.name, signal });
  if (loaded === undefined)
    throw new ImageLoadError({ imageName: image.name, problem: "it is not there after the load" });
  store.remember("engine-image", image.id, loaded.id);
}

const answerSchema = z.object({ error: z.string().optional() });

async function readLoadAnswer(options: { answer: Readable; imageName: string }): Promise<void> {
  for await (const line of readAnswerLines(options.answer)) {
    if (!line.startsWith("{")) continue;
    const { error } = answerSchema.parse(JSON.parse(line));
    if (error !== undefined)
      throw new ImageLoadError({ imageName: options.imageName, problem: error });
  }
}

/** One file of the archive. */
type ArchiveFile =
  | { readonly path: string; readonly bytes: Buffer }
  | { readonly path: string; readonly layer: ImageLayer };

interface Archive {
  readonly files: readonly ArchiveFile[];
  readonly sizeBytes: number;
}

/**
 * The graphdriver stores read `manifest.json` (docker save's format: layer files of chains that they know may be
 * absent); the containerd store reads the OCI layout (index.json: blobs that it has may be absent).
 */
async function planArchive(
  request: LoadRequest & { readonly layers: readonly ImageLayer[] },
): Promise<Archive> {
  const { image, engine, layers, signal } = request;
  const store = await engine.imageStore({ signal });
  const index =
    store === "containerd"
      ? renderOciLayout({
          image,
          environment: await findEnvironmentLayers({ ...request, ...image }),
        })
      : [];
  const files: ArchiveFile[] = [
    { path: blobPath(image.id), bytes: image.configBytes },
    ...uniqueLayers(layers).map((layer) => {
      return { path: blobPath(layer.source.descriptor.digest), layer };
    }),
    ...index,
    { path: "manifest.json", bytes: renderDockerManifest(image) },
  ];
  return { files, sizeBytes: files.reduce((sum, file) => sum + fileSize(file), 0) };
}

/** Two equal layers are one file of the archive. */
function uniqueLayers(layers: readonly ImageLayer[]): ImageLayer[] {
  return [...new Map(layers.map((layer) => [layer.source.descriptor.digest, layer])).values()];
}

function renderDockerManifest(image: Image): Buffer {
  const layers = [
    ...image.environment.diffIds,
    ...image.layers.map(({ source }) => source.descriptor.digest),
  ];
  const manifest = {
    Config: blobPath(image.id),
    RepoTags: [image.name],
    Layers: layers.map(blobPath),
  };
  return Buffer.from(JSON.stringify([manifest]));
}

function renderOciLayout(options: {
  image: Image;
  environment: readonly Descriptor[];
}): ArchiveFile[] {
  const { image } = options;
  const manifest = renderManifest(options);
  // containerd knows images by full names only: `docker.io/library/cog-model:latest`.
  const reference = parseReference(image.name);
  const tag = reference.tag ?? "latest";
  const descriptor = {
    mediaType: manifest.descriptor.mediaType,
    digest: manifest.descriptor.digest,
    size: manifest.bytes.length,
    annotations: {
      "io.containerd.image.name": `${reference.registry}/${reference.repository}:${tag}`,
      "org.opencontainers.image.ref.name": tag,
    },
  };
  const index = { schemaVersion: 2, manifests: [descriptor] };
  return [
    { path: blobPath(digestOf(manifest.bytes)), bytes: manifest.bytes },
    { path: "index.json", bytes: Buffer.from(JSON.stringify(index)) },
    { path: "oci-layout", bytes: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
  ];
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${digest.slice("sha256:".length)}`;
}

function fileSize(file: ArchiveFile): number {
  return "bytes" in file ? file.bytes.length : file.layer.source.descriptor.size;
}

/** Progress is told once per this many bytes. */
const progressBytes = 64 * 1024 ** 2;

async function* readArchive(
  options: LoadRequest & { readonly archive: Archive },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { archive, image, onEvent, signal } = options;
  let sentBytes = 0;
  let toldBytes = 0;
  for (const file of archive.files) {
    const sizeBytes = fileSize(file);
    yield encodeTarHeader({ kind: "file", path: file.path, sizeBytes, isExecutable: false });
    const pieces =
      "bytes" in file
        ? [file.bytes]
        : file.layer.source.open(signal === undefined ? {} : { signal });
    for await (const piece of pieces) {
      yield piece;
      sentBytes += piece.length;
      if (sentBytes - toldBytes < progressBytes) continue;
      toldBytes = sentBytes;
      onEvent?.({ type: "image-load-progress", name: image.name, bytes: sentBytes });
    }
    yield tarPadding(sizeBytes);
  }
  yield tarEnd;
}
