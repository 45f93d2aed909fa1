import { createHash, randomUUID } from "node:crypto";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { OnBuilderEvent } from "../events.ts";
import type { Environment } from "../image.ts";
import { packLayer } from "../layer/layer.ts";
import type { LayerEntry } from "../layer/layer.ts";
import { hashSegments, readSegments } from "../layer/segment.ts";
import type { Plan } from "../plan/plan.ts";
import type { DigestCache } from "../weights/digest-cache.ts";
import { collectBuildContext, contextPaths, packBuildContext } from "./build-context.ts";
import type { BuildContext } from "./build-context.ts";
import { followBuild } from "./build-stream.ts";
import type { DockerEngine } from "./connect.ts";
import { ensureBaseImage } from "./base-image.ts";
import { findEngineImage } from "./engine-image.ts";
import type { EngineImage } from "./engine-image.ts";
import { EnvironmentBuildError, requestEngine } from "./errors.ts";
import { acquireLock } from "./lock.ts";
import type { LoadedHostTrust } from "./trust.ts";

/** The environment and what the engine says of it. */
export interface BuiltEnvironment {
  readonly environment: Environment;
  readonly engineImage: EngineImage;
}

/** Hex digits of the key that a tag shows; 64 bits are enough to tell environments of one engine apart. */
const keyDigits = 16;

interface BuildRequest {
  readonly engine: DockerEngine;
  readonly plan: Plan;
  /** The rendered Dockerfile. */
  readonly dockerfile: string;
  readonly trust: LoadedHostTrust;
  readonly dataDirectory: string;
  readonly cache: DigestCache;
  readonly onEvent?: OnBuilderEvent | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Builds everything that must execute, with BuildKit. An environment that the engine has under its key is not
 * built again; of two builds of one key, the second waits for the first.
 * @throws EnvironmentBuildError with the failing step; EngineRequestError; the reason of an abort.
 */
export async function buildEnvironment(request: BuildRequest): Promise<BuiltEnvironment> {
  const { engine, plan, onEvent, signal } = request;
  const start = performance.now();
  const base = await ensureBaseImage({ engine, plan, onEvent, signal });
  const context = await collectBuildContext(request);
  const key = await computeKey({ ...request, context, baseImageId: base.id });
  const reference = `byom-environment:${key.slice(0, keyDigits)}`;
  const finish = (engineImage: EngineImage, isCached: boolean): BuiltEnvironment => {
    onEvent?.({ type: "environment-end", reference, ms: performance.now() - start, isCached });
    const { id: imageId, diffIds } = engineImage;
    return { environment: { key, reference, imageId, diffIds }, engineImage };
  };

  const present = await findEngineImage({ engine, reference, signal });
  if (present !== undefined) return finish(present, true);
  using _lock = await acquireLock({
    path: join(request.dataDirectory, "locks", `environment-${key}.lock`),
    onWait: () => onEvent?.({ type: "environment-wait", reference }),
    signal,
  });
  const builtMeanwhile = await findEngineImage({ engine, reference, signal });
  if (builtMeanwhile !== undefined) return finish(builtMeanwhile, true);
  onEvent?.({ type: "environment-start", reference });
  await solve({ ...request, context, reference });
  const built = await findEngineImage({ engine, reference, signal });
  if (built !== undefined) return finish(built, false);
  throw new EnvironmentBuildError({
    step: undefined,
    log: [],
    problem: `the engine finished the build and has no image ${reference}`,
    hint: "look at the engine's log",
  });
}

/** SHA-256 over the Dockerfile, the context that it reads, the platform and the base image's ID. */
async function computeKey(options: {
  context: BuildContext;
  cache: DigestCache;
  plan: Plan;
  baseImageId: string;
  signal?: AbortSignal | undefined;
}): Promise<string> {
  const { context, plan, baseImageId } = options;
  const contextDigest = await digestOf({ ...options, entries: context.keyed });
  return createHash("sha256")
    .update(JSON.stringify([contextDigest, plan.platform, baseImageId]))
    .digest("hex");
}

async function digestOf(options: {
  entries: readonly LayerEntry[];
  cache: DigestCache;
  signal?: AbortSignal | undefined;
}): Promise<string> {
  const { entries, cache, signal } = options;
  const known = cache.find(entries);
  if (known !== undefined) return known;
  const startedAtNs = BigInt(Date.now()) * 1_000_000n;
  const digest = await hashSegments({ segments: packLayer(entries), signal });
  cache.remember({ entries, digest, startedAtNs });
  return digest;
}

/**
 * POST /build with BuildKit and without a session: the base image is in the engine already, so BuildKit needs
 * no credentials. Closing the connection cancels the solve; the explicit request covers proxies in between.
 */
async function solve(
  options: BuildRequest & { context: BuildContext; reference: string },
): Promise<void> {
  const { engine, plan, trust, reference, onEvent, signal } = options;
  const buildId = randomUUID();
  const archive = Readable.from(
    readSegments({ segments: packBuildContext(options.context), signal }),
    { objectMode: false },
  );
  try {
    const stream = await startBuild({
      engine,
      archive,
      signal,
      query: {
        version: "2",
        buildid: buildId,
        dockerfile: contextPaths.dockerfile,
        t: reference,
        platform: plan.platform,
        buildargs: JSON.stringify(trust.proxies),
        ...(hasLoopbackProxy(trust) ? { networkmode: "host" } : {}),
      },
    });
    await followBuild({ stream, onEvent });
  } catch (error) {
    if (signal?.aborted === true) {
      await cancelBuild({ engine, buildId });
      signal.throwIfAborted();
    }
    throw error;
  } finally {
    archive.destroy();
  }
}

/** A proxy on this machine's loopback is reached only from the host's network. */
function hasLoopbackProxy(trust: LoadedHostTrust): boolean {
  return Object.entries(trust.proxies).some(
    ([name, value]) =>
      !/^no_proxy$/i.test(name) && /^(\w+:\/\/)?(.*@)?(localhost|127\.|\[::1\])/.test(value),
  );
}

async function startBuild(options: {
  engine: DockerEngine;
  archive: Readable;
  query: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
}): Promise<Readable> {
  const { engine, archive, query, signal } = options;
  return await requestEngine("start the build", { signal }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<Readable>();
    const request = {
      path: "/build?",
      method: "POST",
      options: query,
      file: archive,
      isStream: true,
      ...(signal === undefined ? {} : { abortSignal: signal }),
      statusCodes: { 200: true, 400: "bad parameter", 500: "server error" },
    };
    engine.docker.modem.dial(request, (error: unknown, stream: unknown) => {
      if (error !== null && error !== undefined) reject(error);
      else resolve(stream as Readable);
    });
    return promise;
  });
}

async function cancelBuild(options: { engine: DockerEngine; buildId: string }): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const request = {
    path: "/build/cancel?",
    method: "POST",
    options: { id: options.buildId },
    statusCodes: { 200: true, 204: true, 404: true, 500: "server error" },
  };
  // The connection is closed already: a failure here changes nothing.
  options.engine.docker.modem.dial(request, () => resolve());
  await promise;
}
