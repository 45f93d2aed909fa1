import { createHash } from "node:crypto";
import { join } from "node:path";
import type { OnBuilderEvent } from "../events.ts";
import type { Environment } from "../image.ts";
import { packLayer } from "../layer/layer.ts";
import type { LayerEntry } from "../layer/layer.ts";
import { hashSegments } from "../layer/segment.ts";
import type { Plan } from "../plan/plan.ts";
import type { DigestCache } from "../weights/digest-cache.ts";
import { collectBuildContext, contextPaths, packBuildContext } from "./build-context.ts";
import type { BuildContext } from "./build-context.ts";
import type { DockerEngine } from "./connect.ts";
import { ensureBaseImage } from "./base-image.ts";
import { findEngineImage } from "./engine-image.ts";
import type { EngineImage } from "./engine-image.ts";
import { EnvironmentBuildError } from "./errors.ts";
import { acquireLock } from "./lock.ts";
import { solve } from "./solve.ts";
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
  await solve({
    ...request,
    segments: packBuildContext(context),
    dockerfile: contextPaths.dockerfile,
    platform: plan.platform,
    reference,
  });
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
  const contextDigest = await digestOfEntries({ ...options, entries: context.keyed });
  return createHash("sha256")
    .update(JSON.stringify([contextDigest, plan.platform, baseImageId]))
    .digest("hex");
}

/** Of an archive; what did not change since it was read is not read again. */
export async function digestOfEntries(options: {
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
