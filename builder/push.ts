import { pushImage } from "../registry-client/index.ts";
import type { Descriptor, PushedImage, RegistryClient } from "../registry-client/index.ts";
import type { DockerEngine } from "./docker/connect.ts";
import { pushEnvironment } from "./docker/push-environment.ts";
import type { OnBuilderEvent } from "./events.ts";
import type { Image, ImageLayer } from "./image.ts";
import { openBuilderStore } from "./store.ts";

/** Layers that are uploaded beside the environment's export, which takes a core and the disk itself. */
const uploadConcurrency = 4;

export interface PushRequest {
  readonly image: Image;
  readonly engine: DockerEngine;
  readonly client: RegistryClient;
  /** Without registry and tag, such as `acme/ocr`. */
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly dataDirectory: string;
  readonly onEvent?: OnBuilderEvent | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Pushes the image without `docker push`: the environment's layers leave the engine once, weights and code go
 * straight from the repo's files, each only when the registry lacks it; then config, manifest and tag.
 * @throws the registry client's errors, EngineRequestError, FileChangedError.
 */
export async function pushBuiltImage(request: PushRequest): Promise<PushedImage> {
  const { image, client, repository, tag, onEvent, signal } = request;
  const start = performance.now();
  using store = openBuilderStore(request);
  const internal = new AbortController();
  const joined = AbortSignal.any([internal.signal, ...(signal === undefined ? [] : [signal])]);
  let beside: Promise<number> | undefined;
  try {
    const environment = await pushEnvironment({
      ...request,
      environment: image.environment,
      store,
      // Only an export is worth having company: otherwise pushImage does it all.
      onExport: () => {
        beside = uploadLayers({ client, repository, layers: image.layers, signal: joined });
        beside.catch((error: unknown) => internal.abort(error));
      },
      signal: joined,
    });
    const uploadedBytes = environment.uploadedBytes + ((await beside) ?? 0);
    const pushed = await pushImage({
      client,
      repository,
      tag,
      configBytes: image.configBytes,
      layers: [...environment.layers, ...image.layers.map(({ source }) => source)],
      mountFrom: environment.mountFrom,
      signal: joined,
    });
    const { reference } = pushed;
    onEvent?.({ type: "image-push-end", reference, ms: performance.now() - start });
    return {
      ...pushed,
      uploadedBytes: pushed.uploadedBytes + uploadedBytes,
      skippedBytes: Math.max(0, pushed.skippedBytes - uploadedBytes),
    };
  } catch (error) {
    internal.abort(error);
    await beside?.catch(() => undefined);
    throw error;
  }
}

/** Returns how many bytes went over the wire. */
async function uploadLayers(options: {
  client: RegistryClient;
  repository: string;
  layers: readonly ImageLayer[];
  signal: AbortSignal;
}): Promise<number> {
  const { client, repository, signal } = options;
  const waiting = [...options.layers];
  let uploadedBytes = 0;
  const work = async (): Promise<void> => {
    for (let layer = waiting.shift(); layer !== undefined; layer = waiting.shift()) {
      const { how } = await client.pushBlob(repository, layer.source, { signal });
      const { size }: Descriptor = layer.source.descriptor;
      if (how === "uploaded") uploadedBytes += size;
    }
  };
  await Promise.all(Array.from({ length: uploadConcurrency }, work));
  return uploadedBytes;
}
