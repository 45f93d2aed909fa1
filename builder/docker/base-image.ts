import type { OnBuilderEvent } from "../events.ts";
import type { Plan } from "../plan/plan.ts";
import type { DockerEngine } from "./connect.ts";
import { findEngineImage } from "./engine-image.ts";
import type { EngineImage } from "./engine-image.ts";
import { EngineRequestError } from "./errors.ts";

/**
 * The base image, pulled when the engine does not have it: its ID is part of the environment's key.
 * @throws EngineRequestError when it is nowhere to be had.
 */
export async function ensureBaseImage(options: {
  engine: DockerEngine;
  plan: Plan;
  onEvent?: OnBuilderEvent | undefined;
  signal?: AbortSignal | undefined;
}): Promise<EngineImage> {
  const { engine, plan, onEvent, signal } = options;
  const reference = plan.baseImage.value;
  const present = await findEngineImage({ engine, reference, signal });
  if (present !== undefined) return present;

  const start = performance.now();
  onEvent?.({ type: "base-image-pull-start", reference });
  await pull({ engine, reference, platform: plan.platform, signal });
  onEvent?.({ type: "base-image-pull-end", reference, ms: performance.now() - start });
  const pulled = await findEngineImage({ engine, reference, signal });
  if (pulled !== undefined) return pulled;
  throw pullError({ reference, cause: new Error("the engine has no such image after the pull") });
}

async function pull(options: {
  engine: DockerEngine;
  reference: string;
  platform: string;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  const { engine, reference, platform, signal } = options;
  try {
    const stream = await engine.docker.pull(reference, {
      platform,
      ...(signal && { abortSignal: signal }),
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // The last record of a pull that fails in the middle carries the error; the stream itself ends well.
    engine.docker.modem.followProgress(stream, (error, records: readonly { error?: string }[]) => {
      const problem = error ?? records.find((record) => record.error !== undefined)?.error;
      if (problem === undefined || problem === null) resolve();
      else reject(problem instanceof Error ? problem : new Error(String(problem)));
    });
    await promise;
  } catch (error) {
    signal?.throwIfAborted();
    throw pullError({ reference, cause: error });
  }
}

function pullError(options: { reference: string; cause: unknown }): EngineRequestError {
  return new EngineRequestError({
    operation: `pull the base image ${options.reference}`,
    cause: options.cause,
    hint: "check the name and the network, name a mirror with --base-image, or make one: byom host base-image",
  });
}
