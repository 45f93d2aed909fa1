import { forEachBounded } from "./bounded.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import type { Digest } from "./oci/digest.ts";
import { isImageIndex } from "./oci/manifest.ts";
import { remoteBlob } from "./pull.ts";
import { uploadConcurrencyDefault } from "./push.ts";

/** Indexes inside indexes that are copied. */
const indexDepthMax = 3;

export interface CopyResult {
  readonly digest: Digest;
  readonly uploadedBytes: number;
  readonly mountedBytes: number;
  readonly skippedBytes: number;
}

interface CopyOptions {
  readonly from: {
    readonly client: RegistryClient;
    readonly repository: string;
    readonly reference: string;
  };
  /** Without a tag the copy is reachable by digest only. */
  readonly to: {
    readonly client: RegistryClient;
    readonly repository: string;
    readonly tag?: string | undefined;
  };
  readonly uploadConcurrency?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Copies an image, or an index with all its images, bit for bit: digests stay. Blobs are mounted within one
 * registry and streamed between two; nothing touches the disk.
 * @throws RegistryError family; DigestMismatchError when the source delivers other bytes than it names.
 */
export async function copyImage(options: CopyOptions): Promise<CopyResult> {
  const tally = { uploadedBytes: 0, mountedBytes: 0, skippedBytes: 0 };
  const digest = await copyManifest(options, options.from.reference, {
    tag: options.to.tag,
    tally,
    depth: 0,
  });
  return { digest, ...tally };
}

interface Step {
  readonly tag: string | undefined;
  readonly tally: { uploadedBytes: number; mountedBytes: number; skippedBytes: number };
  readonly depth: number;
}

/** Children before parents, so that nothing in the target names what is not there. */
async function copyManifest(options: CopyOptions, reference: string, step: Step): Promise<Digest> {
  const { from, to, signal } = options;
  if (step.depth > indexDepthMax) {
    throw new RegistryError({
      code: "invalid-manifest",
      message: `${reference} nests more than ${indexDepthMax} indexes`,
    });
  }
  const fetched = await from.client.getManifest(from.repository, reference, { signal });
  const { bytes, digest, manifest, mediaType } = fetched;
  if (isImageIndex(manifest)) {
    for (const child of manifest.manifests) {
      await copyManifest(options, child.digest, { ...step, tag: undefined, depth: step.depth + 1 });
    }
  } else {
    await copyBlobs(options, [...manifest.layers, manifest.config], step.tally);
  }
  await to.client.putManifest(to.repository, digest, bytes, mediaType, { signal });
  if (step.tag !== undefined)
    await to.client.putManifest(to.repository, step.tag, bytes, mediaType, { signal });
  return digest;
}

async function copyBlobs(
  options: CopyOptions,
  descriptors: Parameters<typeof remoteBlob>[2][],
  tally: Step["tally"],
): Promise<void> {
  const { from, to } = options;
  const unique = [
    ...new Map(descriptors.map((descriptor) => [descriptor.digest, descriptor])).values(),
  ];
  const mountFrom = from.client.registry === to.client.registry ? from.repository : undefined;
  const concurrency = options.uploadConcurrency ?? uploadConcurrencyDefault;
  await forEachBounded(
    unique,
    { concurrency, signal: options.signal },
    async (descriptor, signal) => {
      const source = remoteBlob(from.client, from.repository, descriptor);
      const { how } = await to.client.pushBlob(to.repository, source, { mountFrom, signal });
      if (how === "uploaded") tally.uploadedBytes += descriptor.size;
      else if (how === "mounted") tally.mountedBytes += descriptor.size;
      else tally.skippedBytes += descriptor.size;
    },
  );
}
