import { blobFromBytes, type BlobSource } from "./blob-source.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError, RegistryResponseError } from "./errors.ts";
import type { Descriptor } from "./oci/descriptor.ts";
import { digestOf, type Digest } from "./oci/digest.ts";
import type { ImageManifest } from "./oci/manifest.ts";
import { mediaTypes } from "./oci/media-type.ts";
import { formatReference } from "./oci/reference.ts";
import { forEachBounded } from "./bounded.ts";

/** Blobs that are uploaded at the same time: one upload is sequential by the spec, so the layers are what runs in parallel. */
export const uploadConcurrencyDefault = 5;

/** A layer to upload, or one that the repository (or a repository to mount from) holds already. */
export type PushLayer = BlobSource | Descriptor;

export interface PushImageOptions {
  readonly client: RegistryClient;
  readonly repository: string;
  /** Without it the image is pushed by digest only. */
  readonly tag?: string | undefined;
  /** The image config's exact bytes: their digest is the image ID. */
  readonly configBytes: Uint8Array;
  readonly configMediaType?: string | undefined;
  /** Bottom first, in the order of the config's diff IDs. */
  readonly layers: readonly PushLayer[];
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly artifactType?: string | undefined;
  readonly subject?: Descriptor | undefined;
  /** Repositories of the same registry that may hold layers, likeliest first. */
  readonly mountFrom?: string | readonly string[] | undefined;
  readonly uploadConcurrency?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An image in a registry. */
export interface PushedImage {
  /** `registry/repository[:tag]@digest`. */
  readonly reference: string;
  readonly digest: Digest;
  readonly manifestBytes: Uint8Array;
  readonly uploadedBytes: number;
  readonly mountedBytes: number;
  readonly skippedBytes: number;
}

/**
 * Pushes blobs in parallel, then the manifest by digest, then the tag: a tag never names an image with holes.
 * An image that is there already costs two requests.
 * @throws RegistryError `missing-blob` for a layer that was said to be there and is not; the rest of the family.
 */
export async function pushImage(options: PushImageOptions): Promise<PushedImage> {
  const { client, repository, tag, signal } = options;
  const config = blobFromBytes(options.configBytes, {
    mediaType: options.configMediaType ?? mediaTypes.imageConfig,
  });
  const manifestBytes = renderManifest(options, config.descriptor);
  const digest = digestOf(manifestBytes);
  const blobs: PushLayer[] = [...options.layers, config];
  const tally = { uploadedBytes: 0, mountedBytes: 0, skippedBytes: 0 };
  if (await client.headManifest(repository, digest, { signal })) {
    tally.skippedBytes = sumBytes(blobs);
  } else {
    await pushBlobs(options, blobs, tally);
    await putOnce(options, { blobs, manifestBytes, digest, tally });
  }
  if (
    tag !== undefined &&
    (await client.headManifest(repository, tag, { signal }))?.digest !== digest
  ) {
    await client.putManifest(repository, tag, manifestBytes, mediaTypes.imageManifest, { signal });
  }
  const reference = formatReference({
    registry: client.registry,
    repository,
    digest,
    ...(tag === undefined ? {} : { tag }),
  });
  return { reference, digest, manifestBytes, ...tally };
}

/** The manifest's bytes; serialized once, because every byte counts for the digest. */
function renderManifest(options: PushImageOptions, config: Descriptor): Uint8Array {
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.imageManifest,
    ...(options.artifactType === undefined ? {} : { artifactType: options.artifactType }),
    config: storedDescriptor(config),
    layers: options.layers.map((layer) => storedDescriptor(descriptorOf(layer))),
    ...(options.subject ? { subject: storedDescriptor(options.subject) } : {}),
    ...(options.annotations ? { annotations: options.annotations } : {}),
  };
  return Buffer.from(JSON.stringify(manifest));
}

/** In a fixed order of keys, so that equal images have equal bytes. */
function storedDescriptor(descriptor: Descriptor): Descriptor {
  const { mediaType, digest, size, annotations, artifactType } = descriptor;
  return {
    mediaType,
    digest,
    size,
    ...(annotations && Object.keys(annotations).length > 0 ? { annotations } : {}),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

interface Tally {
  uploadedBytes: number;
  mountedBytes: number;
  skippedBytes: number;
}

async function pushBlobs(
  options: PushImageOptions,
  blobs: readonly PushLayer[],
  tally: Tally,
): Promise<void> {
  const unique = [...new Map(blobs.map((blob) => [descriptorOf(blob).digest, blob])).values()];
  const concurrency = options.uploadConcurrency ?? uploadConcurrencyDefault;
  await forEachBounded(unique, { concurrency, signal: options.signal }, async (blob, signal) => {
    const { size } = descriptorOf(blob);
    const how = await pushOne(options, blob, signal);
    if (how === "uploaded") tally.uploadedBytes += size;
    else if (how === "mounted") tally.mountedBytes += size;
    else tally.skippedBytes += size;
  });
}

async function pushOne(
  options: PushImageOptions,
  blob: PushLayer,
  signal: AbortSignal,
): Promise<"uploaded" | "mounted" | "skipped"> {
  const { client, repository, mountFrom } = options;
  if ("open" in blob) return (await client.pushBlob(repository, blob, { mountFrom, signal })).how;
  const found = await client.findBlob(repository, blob, { mountFrom, signal });
  if (found) return found;
  throw new RegistryError({
    code: "missing-blob",
    message: `layer ${blob.digest} is not in ${client.registry}/${repository}`,
    hint: "it was removed from the registry since it was recorded: build again without the cache",
  });
}

/** A registry's garbage collection may take a blob between our HEAD and the manifest: once, everything is checked again. */
async function putOnce(
  options: PushImageOptions,
  image: {
    readonly blobs: readonly PushLayer[];
    readonly manifestBytes: Uint8Array;
    readonly digest: Digest;
    readonly tally: Tally;
  },
): Promise<void> {
  const { client, repository, signal } = options;
  const put = async (): Promise<unknown> =>
    client.putManifest(repository, image.digest, image.manifestBytes, mediaTypes.imageManifest, {
      signal,
    });
  try {
    await put();
  } catch (error) {
    if (!(error instanceof RegistryResponseError) || !error.hasProblem("MANIFEST_BLOB_UNKNOWN"))
      throw error;
    Object.assign(image.tally, { uploadedBytes: 0, mountedBytes: 0, skippedBytes: 0 });
    await pushBlobs(options, image.blobs, image.tally);
    await put();
  }
}

function descriptorOf(layer: PushLayer): Descriptor {
  return "open" in layer ? layer.descriptor : layer;
}

function sumBytes(blobs: readonly PushLayer[]): number {
  return blobs.reduce((sum, blob) => sum + descriptorOf(blob).size, 0);
}
