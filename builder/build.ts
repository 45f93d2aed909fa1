import { digestOf } from "../registry-client/index.ts";
import type { BlobSource } from "../registry-client/index.ts";
import type { DockerEngine } from "./docker/connect.ts";
import { readEngineHistory } from "./docker/engine-image.ts";
import { buildEnvironment } from "./docker/environment.ts";
import type { BuiltEnvironment } from "./docker/environment.ts";
import { assembleImageConfig } from "./docker/image-config.ts";
import { loadIntoEngine } from "./docker/load.ts";
import { buildOwnDockerfile } from "./docker/own-dockerfile.ts";
import { findPipFreeze } from "./docker/pip-freeze.ts";
import type { LoadedHostTrust } from "./docker/trust.ts";
import { renderDockerfile } from "./dockerfile/render.ts";
import type { OnBuilderEvent } from "./events.ts";
import type { Image, ImageLayer } from "./image.ts";
import { buildLayer } from "./layer/build-layer.ts";
import type { Plan, PlannedFile } from "./plan/plan.ts";
import { completeDocument } from "./docker/ask-image.ts";
import { openBuilderStore } from "./store.ts";
import type { BuilderStore } from "./store.ts";
import { createDigestCache } from "./weights/digest-cache.ts";
import type { DigestCache } from "./weights/digest-cache.ts";
import { groupWeights } from "./weights/layer.ts";

/** Cog's contract: the repo lies in /src of the image, whatever the working directory is. */
const sourceRoot = "src";

/** Where coglet reads the schema of inputs and outputs. */
const schemaPath = ".cog/openapi_schema.json";

export interface BuildRequest {
  readonly plan: Plan;
  readonly engine: DockerEngine;
  /** byom's data directory: digests, sizes and locks are kept in it. */
  readonly dataDirectory: string;
  readonly trust: LoadedHostTrust;
  readonly onEvent?: OnBuilderEvent | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * From a plan to an image in the engine: BuildKit makes the environment, byom lays weights and code on top.
 * What did not change since the last build is neither built nor read again.
 * @throws EnvironmentBuildError, EngineRequestError, ImageLoadError, FileChangedError, LayerPathError.
 */
export async function buildImage(request: BuildRequest): Promise<Image> {
  const { engine, trust, onEvent, signal } = request;
  using store = openBuilderStore(request);
  const cache = createDigestCache({ store });
  const plan = await buildOwnDockerfile({
    ...request,
    plan: withTrust(request.plan, trust),
    cache,
  });
  const { built, layers } = await buildParts({ ...request, plan, cache });
  const finish = async (finished: Plan, finishedLayers: typeof layers): Promise<Image> => {
    const parts = { plan: finished, engine, built, layers: finishedLayers, store, signal };
    const image = await assembleImage(parts);
    await loadIntoEngine({ engine, image, store, onEvent, signal });
    return image;
  };
  const document = await completeDocument({
    plan,
    engine,
    store,
    key: [built.environment.key, ...layers.map(({ source }) => source.descriptor.digest)],
    makeImage: async () => await finish(plan, layers),
    onEvent,
    signal,
  });
  if (document === plan.openApiSchema) return await finish(plan, layers);
  const completed = withDocument(plan, document);
  const code = await buildCodeLayer({ ...request, plan: completed, cache });
  return await finish(completed, [...layers.slice(0, -1), codeLayerOf(code)]);
}

function withDocument(plan: Plan, document: Plan["openApiSchema"]): Plan {
  if (document === undefined) return plan;
  const labels = { ...plan.labels, "run.cog.openapi_schema": JSON.stringify(document) };
  return { ...plan, openApiSchema: document, labels };
}

function codeLayerOf(source: BlobSource): ImageLayer {
  return { kind: "code", source, createdBy: "byom: code" };
}

/** Hashing the weights takes the disk, the build mostly the network: they run side by side, and end together. */
async function buildParts(
  request: BuildRequest & { readonly cache: DigestCache },
): Promise<{ built: BuiltEnvironment; layers: readonly ImageLayer[] }> {
  const { plan, signal } = request;
  const internal = new AbortController();
  const joined = AbortSignal.any([internal.signal, ...(signal === undefined ? [] : [signal])]);
  const dockerfile = renderDockerfile(plan);
  const environment = buildEnvironment({ ...request, dockerfile, signal: joined });
  const layers = buildLayers({ ...request, signal: joined });
  try {
    const [built, made] = await Promise.all([environment, layers]);
    return { built, layers: made };
  } catch (error) {
    internal.abort(error);
    await Promise.allSettled([environment, layers]);
    throw error;
  }
}

/** The image as a value: environment's config, layers and labels, with the ID that the engine will show. */
export async function assembleImage(options: {
  plan: Plan;
  engine: DockerEngine;
  built: BuiltEnvironment;
  layers: readonly ImageLayer[];
  store: BuilderStore;
  signal?: AbortSignal | undefined;
}): Promise<Image> {
  const { plan, engine, built, layers, store, signal } = options;
  const { environment, engineImage } = built;
  const [history, pipFreeze] = await Promise.all([
    readEngineHistory({ engine, reference: environment.reference, signal }),
    findPipFreeze({ engine, environment, store, signal }),
  ]);
  const weightsDigest = digestOf(
    layers
      .filter(({ kind }) => kind === "weights")
      .map(({ source }) => `${source.descriptor.digest}\n`)
      .join(""),
  );
  const config = assembleImageConfig({
    plan,
    engineImage,
    history,
    layers,
    labels: {
      "byom.environment.key": environment.key,
      "byom.weights.digest": weightsDigest,
      ...(pipFreeze === undefined ? {} : { "run.cog.pip_freeze": pipFreeze }),
    },
  });
  return {
    name: withTag(plan.imageName),
    id: config.id,
    configBytes: config.bytes,
    environment,
    layers,
    weightsDigest,
    labels: config.labels,
  };
}

/** The Dockerfile mounts what the context will hold, whatever the plan's maker knew of this host. */
function withTrust(plan: Plan, trust: LoadedHostTrust): Plan {
  const hasCertificates = trust.caBundle !== undefined;
  return {
    ...plan,
    hostTrust: { hasCertificates, hasPipConfiguration: trust.pipConfig !== undefined },
  };
}

/** `NAME` becomes `NAME:latest`; a port of a registry is no tag. */
function withTag(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1).includes(":") ? name : `${name}:latest`;
}

interface LayerRequest {
  readonly plan: Plan;
  readonly cache: DigestCache;
  readonly onEvent?: OnBuilderEvent | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Weights first and code last, so that a code edit leaves every layer below it as it is. */
async function buildLayers(request: LayerRequest): Promise<readonly ImageLayer[]> {
  const { plan } = request;
  const layers: ImageLayer[] = [];
  for (const files of groupWeights(plan.weights)) {
    const name = describeWeights(files);
    const source = await buildLayer({ ...request, ...sourceOf(plan), name, files });
    layers.push({ kind: "weights", source, createdBy: `byom: ${name}` });
  }
  const code = await buildCodeLayer(request);
  return [...layers, codeLayerOf(code)];
}

async function buildCodeLayer(request: LayerRequest): Promise<BlobSource> {
  const { plan } = request;
  const schema = plan.openApiSchema;
  return await buildLayer({
    ...request,
    ...sourceOf(plan),
    name: "code",
    files: plan.code,
    extra:
      schema === undefined
        ? []
        : [{ path: schemaPath, bytes: Buffer.from(JSON.stringify(schema)) }],
  });
}

function sourceOf(plan: Plan): { directory: string; root: string } {
  return { directory: plan.directory, root: sourceRoot };
}

function describeWeights(files: readonly PlannedFile[]): string {
  const [first] = files;
  const rest = files.length - 1;
  return rest === 0 ? `weights ${first?.path}` : `weights ${first?.path} and ${rest} more`;
}
