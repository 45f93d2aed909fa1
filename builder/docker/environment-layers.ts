import { z } from "zod";
import { digestOf } from "../../registry-client/index.ts";
import type { Descriptor, Digest } from "../../registry-client/index.ts";
import type { Environment } from "../image.ts";
import { layerMediaType } from "../layer/layer.ts";
import type { BuilderStore } from "../store.ts";
import type { DockerEngine } from "./connect.ts";
import { EngineRequestError } from "./errors.ts";
import { readSavedImage } from "./saved-image.ts";
import type { SavedBlob, SavedImage } from "./saved-image.ts";

/**
 * The environment's layers as the engine stores them. Known after the first export of an environment; the
 * containerd store keeps layers compressed, so that only an export tells their digests.
 */
export async function findEnvironmentLayers(options: {
  engine: DockerEngine;
  environment: Environment;
  store: BuilderStore;
  signal?: AbortSignal | undefined;
}): Promise<readonly Descriptor[]> {
  const remembered = recallEnvironmentLayers(options);
  if (remembered !== undefined) return remembered;
  const { layers } = await exportEnvironment({ ...options, onBlob: drain });
  return layers;
}

const layersSchema = z.array(
  z.object({
    mediaType: z.string(),
    digest: z.custom<Digest>((value) => typeof value === "string" && value.startsWith("sha256:")),
    size: z.number(),
  }),
);

export function recallEnvironmentLayers(options: {
  environment: Environment;
  store: BuilderStore;
}): readonly Descriptor[] | undefined {
  const remembered = options.store.find("environment-layers", options.environment.imageId);
  return remembered === undefined ? undefined : layersSchema.parse(JSON.parse(remembered));
}

export function rememberEnvironmentLayers(options: {
  environment: Environment;
  store: BuilderStore;
  layers: readonly Descriptor[];
}): void {
  const { environment, store, layers } = options;
  store.remember("environment-layers", environment.imageId, JSON.stringify(layers));
}

/** Exports the environment once and remembers its layers' digests and sizes. */
export async function exportEnvironment(options: {
  engine: DockerEngine;
  environment: Environment;
  store: BuilderStore;
  onBlob: (blob: SavedBlob) => Promise<void>;
  signal?: AbortSignal | undefined;
}): Promise<{ layers: readonly Descriptor[]; saved: SavedImage }> {
  const { environment } = options;
  const saved = await readSavedImage({ ...options, reference: environment.reference });
  const layers = uncompressedLayers({ environment, saved }) ?? storedLayers(saved);
  if (layers?.length !== environment.diffIds.length)
    throw new EngineRequestError({
      operation: `find the layers of ${environment.reference} in the engine's export`,
      cause: new Error(`${environment.diffIds.length} layers expected`),
    });
  rememberEnvironmentLayers({ ...options, layers });
  return { layers, saved };
}

export async function drain(blob: SavedBlob): Promise<void> {
  for await (const _piece of blob.bytes);
}

/** The graphdriver stores export each layer as it was before compression: the diff ID is the digest. */
function uncompressedLayers(options: {
  environment: Environment;
  saved: SavedImage;
}): Descriptor[] | undefined {
  const { sizes, documents } = options.saved;
  const small = new Map([...documents.values()].map((bytes) => [digestOf(bytes), bytes.length]));
  const layers = options.environment.diffIds.map((digest) => {
    const size = sizes.get(digest) ?? small.get(digest);
    return size === undefined ? undefined : { mediaType: layerMediaType, digest, size };
  });
  const found = layers.filter((layer) => layer !== undefined);
  return found.length === layers.length ? found : undefined;
}

const manifestSchema = z.object({ layers: layersSchema });
const indexSchema = z.object({
  manifests: z.array(
    z.object({ digest: z.string(), platform: z.object({ os: z.string() }).optional() }),
  ),
});

/** The containerd store exports what it has: index.json leads to the manifest, through an index or directly. */
function storedLayers(saved: SavedImage): readonly Descriptor[] | undefined {
  const visit = (bytes: Buffer | undefined): readonly Descriptor[] | undefined => {
    if (bytes === undefined) return undefined;
    const document: unknown = JSON.parse(bytes.toString("utf8"));
    const manifest = manifestSchema.safeParse(document);
    if (manifest.success) return manifest.data.layers;
    const index = indexSchema.safeParse(document).data?.manifests ?? [];
    // Provenance attestations stand beside the image with the platform "unknown".
    const images = index.filter(({ platform }) => platform?.os !== "unknown");
    return images
      .map(({ digest }) => visit(saved.documents.get(`blobs/${digest.replace(":", "/")}`)))
      .find((layers) => layers !== undefined);
  };
  return visit(saved.documents.get("index.json"));
}
