import type { BlobSource } from "./blob-source.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import type { Descriptor } from "./oci/descriptor.ts";
import type { Digest } from "./oci/digest.ts";
import { isImageIndex, type ImageManifest } from "./oci/manifest.ts";
import { findPlatform, formatPlatform, type Platform } from "./oci/platform.ts";

/** Largest image config that is read, in bytes; real ones stay below 100 KiB. */
const configBytesMax = 8 * 1024 * 1024;
/** Indexes inside indexes that are followed. */
const indexDepthMax = 3;

/** An image of which everything but the layers was read; the layers stream when they are opened. */
export interface PulledImage {
  readonly repository: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly manifestBytes: Uint8Array;
  readonly manifest: ImageManifest;
  readonly configBytes: Uint8Array;
  /** Bottom first. Each reading is verified and resumes by itself. */
  readonly layers: readonly BlobSource[];
}

const defaultPlatform: Platform = { os: "linux", architecture: "amd64" };

/**
 * Resolves a tag or digest, chooses the platform in an index, and reads manifest and config.
 * @throws RegistryError `not-found` when the index lacks the platform; the rest of the family.
 */
export async function pullImage(options: {
  readonly client: RegistryClient;
  readonly repository: string;
  /** A tag or a digest. */
  readonly reference: string;
  readonly platform?: Platform | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<PulledImage> {
  const { client, repository, signal } = options;
  const platform = options.platform ?? defaultPlatform;
  let { reference } = options;
  for (let depth = 0; depth <= indexDepthMax; depth += 1) {
    const { bytes, manifest, digest, mediaType } = await client.getManifest(repository, reference, {
      signal,
    });
    if (!isImageIndex(manifest)) {
      const configBytes = await readSmallBlob(client, {
        repository,
        descriptor: manifest.config,
        signal,
      });
      const layers = manifest.layers.map((layer) => remoteBlob(client, repository, layer));
      return { repository, digest, mediaType, manifestBytes: bytes, manifest, configBytes, layers };
    }
    const chosen = findPlatform(manifest, platform);
    if (!chosen) throw noPlatform(options.reference, repository, platform);
    reference = chosen.digest;
  }
  throw new RegistryError({
    code: "invalid-manifest",
    message: `${repository}@${options.reference} nests more than ${indexDepthMax} indexes`,
  });
}

/** A blob of another repository as a source that can be read from any offset. */
export function remoteBlob(
  client: RegistryClient,
  repository: string,
  descriptor: Descriptor,
): BlobSource {
  return { descriptor, open: (options) => client.getBlob(repository, descriptor, options) };
}

async function readSmallBlob(
  client: RegistryClient,
  options: {
    readonly repository: string;
    readonly descriptor: Descriptor;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Uint8Array> {
  const { repository, descriptor, signal } = options;
  if (descriptor.size > configBytesMax) {
    throw new RegistryError({
      code: "too-large",
      message: `the config of an image in ${repository} has ${descriptor.size} bytes, more than ${configBytesMax}`,
    });
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.getBlob(repository, descriptor, { signal })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function noPlatform(reference: string, repository: string, platform: Platform): RegistryError {
  return new RegistryError({
    code: "not-found",
    message: `${repository} at ${reference} has no image for ${formatPlatform(platform)}`,
    hint: "choose another platform or another image",
  });
}
