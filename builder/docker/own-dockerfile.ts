import { createHash } from "node:crypto";
import { join } from "node:path";
import type { OnBuilderEvent } from "../events.ts";
import { readStamps } from "../layer/file-stamp.ts";
import { packLayer } from "../layer/layer.ts";
import type { LayerEntry } from "../layer/layer.ts";
import { ownDockerfileImage } from "../plan/base-image.ts";
import type { Plan } from "../plan/plan.ts";
import type { DigestCache } from "../weights/digest-cache.ts";
import type { DockerEngine } from "./connect.ts";
import { findEngineImage } from "./engine-image.ts";
import { digestOfEntries } from "./environment.ts";
import { EnvironmentBuildError } from "./errors.ts";
import { acquireLock } from "./lock.ts";
import { solve } from "./solve.ts";
import type { LoadedHostTrust } from "./trust.ts";

/** Hex digits of the key in the tag. */
const keyDigits = 16;

/**
 * Builds the repo's own Dockerfile with all of the repo's files as context, as `docker build .` does, and gives the plan
 * whose environment starts from the result. An unchanged context is not built again. A plan without one stays as it is.
 * @throws EnvironmentBuildError with the failing step; EngineRequestError; the reason of an abort.
 */
export async function buildOwnDockerfile(options: {
  readonly plan: Plan;
  readonly engine: DockerEngine;
  readonly trust: LoadedHostTrust;
  readonly dataDirectory: string;
  readonly cache: DigestCache;
  readonly onEvent?: OnBuilderEvent | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<Plan> {
  const { plan, engine, onEvent, signal } = options;
  if (plan.dockerfile === undefined) return plan;
  const dockerfile = plan.dockerfile.value;
  const entries = await readContext(plan, signal);
  const context = await digestOfEntries({ ...options, entries });
  const key = createHash("sha256")
    .update(JSON.stringify([context, dockerfile, plan.platform]))
    .digest("hex");
  const reference = `${ownDockerfileImage}:${key.slice(0, keyDigits)}`;
  using _lock = await acquireLock({
    path: join(options.dataDirectory, "locks", `dockerfile-${key}.lock`),
    onWait: () => onEvent?.({ type: "environment-wait", reference }),
    signal,
  });
  const start = performance.now();
  const present = await findEngineImage({ engine, reference, signal });
  if (present === undefined) {
    onEvent?.({ type: "environment-start", reference });
    const segments = packLayer(entries);
    await solve({ ...options, segments, dockerfile, platform: plan.platform, reference });
  }
  const built = present ?? (await findEngineImage({ engine, reference, signal }));
  if (built === undefined) {
    throw new EnvironmentBuildError({
      step: undefined,
      log: [],
      problem: `the engine finished the build of ${dockerfile} and has no image ${reference}`,
      hint: "look at the engine's log",
    });
  }
  const ms = performance.now() - start;
  onEvent?.({ type: "environment-end", reference, ms, isCached: present !== undefined });
  return {
    ...plan,
    baseImage: { ...plan.baseImage, value: reference },
    ...(built.user === "" ? {} : { baseUser: built.user }),
  };
}

/** Every file that the plan found (what .dockerignore leaves out, Docker would not get either) and the Dockerfile. */
async function readContext(plan: Plan, signal: AbortSignal | undefined): Promise<LayerEntry[]> {
  const files = [...plan.code, ...plan.weights];
  const regular = files.filter(({ linkTarget }) => linkTarget === undefined);
  const dockerfile = { path: plan.dockerfile?.value ?? "Dockerfile", isExecutable: false };
  const isListed = regular.some(({ path }) => path === dockerfile.path);
  const sent = isListed ? regular : [...regular, dockerfile];
  const paths = sent.map(({ path }) => join(plan.directory, path));
  const stamps = await readStamps({ paths, signal });
  const entries = sent.map(({ path, isExecutable }, index): LayerEntry => {
    const stamp = stamps[index];
    if (stamp === undefined) throw new RangeError(`no stamp of ${path}`);
    return { kind: "file", path, file: join(plan.directory, path), stamp, isExecutable };
  });
  const links = files.flatMap(({ path, linkTarget }): LayerEntry[] =>
    linkTarget === undefined ? [] : [{ kind: "link", path, target: linkTarget }],
  );
  return [...entries, ...links];
}
