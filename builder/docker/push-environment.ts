import type { Descriptor, Digest, RegistryClient } from "../../registry-client/index.ts";
import type { OnBuilderEvent } from "../events.ts";
import type { Environment } from "../image.ts";
import { layerMediaType } from "../layer/layer.ts";
import type { BuilderStore } from "../store.ts";
import type { DockerEngine } from "./connect.ts";
import {
  drain,
  exportEnvironment,
  recallEnvironmentLayers,
  rememberEnvironmentLayers,
} from "./environment-layers.ts";
import type { SavedBlob } from "./saved-image.ts";

interface EnvironmentPush {
  readonly engine: DockerEngine;
  readonly client: RegistryClient;
  readonly repository: string;
  readonly environment: Environment;
  readonly store: BuilderStore;
  /** Called when the registry lacks a layer, before the export begins. */
  readonly onExport: () => void;
  readonly onEvent?: OnBuilderEvent | undefined;
  readonly signal: AbortSignal;
}

export interface PushedEnvironment {
  /** As the registry has them. */
  readonly layers: readonly Descriptor[];
  readonly uploadedBytes: number;
  /** Another repository of the registry that has these layers. */
  readonly mountFrom: string | undefined;
}

/**
 * Makes the registry have the environment's layers. The engine exports them only when one is missing; the bytes
 * stream from `docker save` into the registry and are hashed as they pass.
 */
export async function pushEnvironment(request: EnvironmentPush): Promise<PushedEnvironment> {
  const { environment, store, client, repository } = request;
  const homeKey = `${client.registry} ${environment.imageId}`;
  const home = store.find("environment-home", homeKey);
  const present = await findPresent(request);
  const mountFrom = home === repository ? undefined : home;
  if (present.layers !== undefined) {
    const missing = present.layers.filter(({ digest }) => !present.sizes.has(digest));
    if (missing.length === 0 || (await mountAll({ ...request, layers: missing, mountFrom })))
      return { layers: present.layers, uploadedBytes: 0, mountFrom };
  }
  request.onExport();
  const exported = await exportMissing({ ...request, present: present.sizes });
  store.remember("environment-home", homeKey, repository);
  return { ...exported, mountFrom: undefined };
}

interface PresentLayers {
  /** Undefined when the digests or sizes are known neither here nor there. */
  readonly layers: readonly Descriptor[] | undefined;
  /** Sizes of the layers that the registry has. */
  readonly sizes: ReadonlyMap<Digest, number>;
}

/** A layer's digest is its diff ID unless an earlier export taught us another one. */
async function findPresent(request: EnvironmentPush): Promise<PresentLayers> {
  const { client, repository, environment, signal } = request;
  const recalled = recallEnvironmentLayers(request);
  const digests = recalled?.map(({ digest }) => digest) ?? environment.diffIds;
  const sizes = new Map<Digest, number>();
  await Promise.all(
    [...new Set(digests)].map(async (digest) => {
      const head = await client.headBlob(repository, digest, { signal });
      const recalledSize = recalled?.find((layer) => layer.digest === digest)?.size;
      const size = head?.sizeBytes ?? recalledSize;
      if (head !== undefined && size !== undefined) sizes.set(digest, size);
    }),
  );
  if (recalled !== undefined) return { layers: recalled, sizes };
  const layers = environment.diffIds.flatMap((digest) => {
    const size = sizes.get(digest);
    return size === undefined ? [] : [{ mediaType: layerMediaType, digest, size }];
  });
  if (layers.length !== environment.diffIds.length) return { layers: undefined, sizes };
  rememberEnvironmentLayers({ ...request, layers });
  return { layers, sizes };
}

/** True when the registry could take every layer from another repository of its own. */
async function mountAll(
  request: EnvironmentPush & {
    readonly layers: readonly Descriptor[];
    readonly mountFrom: string | undefined;
  },
): Promise<boolean> {
  const { client, repository, layers, mountFrom, signal } = request;
  if (mountFrom === undefined) return false;
  class NotMounted extends Error {}
  try {
    for (const descriptor of layers) {
      const open = (): never => {
        throw new NotMounted();
      };
      await client.pushBlob(repository, { descriptor, open }, { mountFrom, signal });
    }
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (isCausedBy(error, NotMounted)) return false;
    throw error;
  }
}

function isCausedBy(error: unknown, type: new () => Error): boolean {
  if (error instanceof type) return true;
  return error instanceof Error && error.cause !== undefined && isCausedBy(error.cause, type);
}

async function exportMissing(
  request: EnvironmentPush & { readonly present: ReadonlyMap<Digest, number> },
): Promise<{ layers: readonly Descriptor[]; uploadedBytes: number }> {
  const { client, repository, environment, onEvent, signal } = request;
  const start = performance.now();
  const { reference } = environment;
  onEvent?.({ type: "environment-export-start", reference });
  const held = new Set<Digest>(request.present.keys());
  let uploadedBytes = 0;
  const upload = async (bytes: AsyncIterable<Uint8Array>): Promise<void> => {
    const { digest, size } = await client.pushBlobStream(repository, bytes, { signal });
    held.add(digest);
    uploadedBytes += size;
  };
  const pass = async (isPresent: (blob: SavedBlob) => boolean): Promise<readonly Descriptor[]> => {
    const { layers, saved } = await exportEnvironment({
      ...request,
      onBlob: async (blob) => await (isPresent(blob) ? drain(blob) : upload(blob.bytes)),
    });
    for (const { digest } of layers) {
      const document = saved.documents.get(`blobs/${digest.replace(":", "/")}`);
      if (document !== undefined && !held.has(digest)) await upload(toStream(document));
    }
    return layers;
  };
  const presentSizes = new Set(request.present.values());
  // Docker 20.10 does not name a layer's digest before its bytes: one of a size that the registry has is most
  // likely the one that it has. Should that be wrong, a second pass sends everything.
  let layers = await pass(({ digest, sizeBytes }) =>
    digest === undefined ? presentSizes.has(sizeBytes) : held.has(digest),
  );
  if (layers.some(({ digest }) => !held.has(digest))) layers = await pass(() => false);
  onEvent?.({ type: "environment-export-end", reference, ms: performance.now() - start });
  return { layers, uploadedBytes };
}

async function* toStream(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}
