import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { z } from "zod";
import { findOrigin, readLogs, startContainer, stopContainer } from "./docker/container.ts";
import type { ContainerOptions } from "./docker/container.ts";
import { ContainerSetupError } from "./docker/errors.ts";

/** A server that is up answers in milliseconds; the first look must not cost more than it saves. */
const pollMs = 50;

/** A health check runs the model's own one, which coglet cuts off after 10 s. */
const healthTimeoutMs = 15_000;

/** Models that download weights in setup() take minutes. */
const readyTimeoutMsDefault: number = 30 * 60_000;

/** Log lines that an error carries. */
const failureLogLinesMax = 40;

/** A container whose model is set up and answers. */
export interface LocalContainer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  readonly containerId: string;
  /** What it printed so far, standard output and error together. */
  logs(): Promise<string>;
  /** Stops and removes it. */
  stop(): Promise<void>;
}

/**
 * Starts the image with Docker and waits until setup() is done.
 * @throws ContainerSetupError with the logs when setup fails or the container ends; EngineRequestError.
 */
export async function startLocalContainer(
  options: ContainerOptions & { readonly readyTimeoutMs?: number | undefined },
): Promise<LocalContainer> {
  const { engine, imageName, signal, readyTimeoutMs = readyTimeoutMsDefault } = options;
  const container = await startContainer(options);
  const logs = async (): Promise<string> => await readLogs({ engine, container });
  const stop = async (): Promise<void> => await stopContainer(container);
  try {
    const timeout = AbortSignal.timeout(readyTimeoutMs);
    const joined = AbortSignal.any([timeout, ...(signal === undefined ? [] : [signal])]);
    for (;;) {
      const state = (await container.inspect()).State;
      if (!state.Running) throw await describeEnd({ imageName, state, logs });
      const origin = await findOrigin({ engine, container, signal });
      const health = await readHealth({ origin, signal: joined });
      if (health?.status === "SETUP_FAILED") throw await describeSetup({ imageName, health, logs });
      if (health !== undefined && isUp(health.status))
        return { origin, containerId: container.id, logs, stop, [Symbol.asyncDispose]: stop };
      signal?.throwIfAborted();
      if (timeout.aborted) throw await describeTimeout({ imageName, readyTimeoutMs, logs });
      await sleep(pollMs);
    }
  } catch (error) {
    await stop();
    throw error;
  }
}

const healthSchema = z.object({
  status: z.string(),
  setup: z.object({ logs: z.string().nullish() }).nullish(),
});

type Health = z.infer<typeof healthSchema>;

/** BUSY and UNHEALTHY are answers of a model that was set up. */
function isUp(status: string): boolean {
  return status === "READY" || status === "BUSY" || status === "UNHEALTHY";
}

/** Undefined while nothing answers. */
async function readHealth(options: {
  origin: string;
  signal: AbortSignal;
}): Promise<Health | undefined> {
  try {
    const answer = await request(`${options.origin}/health-check`, {
      signal: options.signal,
      headersTimeout: healthTimeoutMs,
      bodyTimeout: healthTimeoutMs,
    });
    const body = await answer.body.text();
    return answer.statusCode === 200 ? healthSchema.parse(JSON.parse(body)) : undefined;
  } catch {
    return undefined;
  }
}

async function describeEnd(options: {
  imageName: string;
  state: { readonly ExitCode: number; readonly OOMKilled: boolean };
  logs: () => Promise<string>;
}): Promise<ContainerSetupError> {
  const { imageName, state } = options;
  return new ContainerSetupError({
    imageName,
    problem: state.OOMKilled
      ? "it ran out of memory"
      : `it ended with exit code ${state.ExitCode} before it was ready`,
    logs: lastLines(await options.logs()),
    exitCode: state.ExitCode,
    isOutOfMemory: state.OOMKilled,
  });
}

async function describeSetup(options: {
  imageName: string;
  health: Health;
  logs: () => Promise<string>;
}): Promise<ContainerSetupError> {
  const { imageName, health } = options;
  const logs = health.setup?.logs ?? (await options.logs());
  return new ContainerSetupError({ imageName, problem: "setup() failed", logs: lastLines(logs) });
}

async function describeTimeout(options: {
  imageName: string;
  readyTimeoutMs: number;
  logs: () => Promise<string>;
}): Promise<ContainerSetupError> {
  return new ContainerSetupError({
    imageName: options.imageName,
    problem: `setup() was not done after ${options.readyTimeoutMs / 1_000} s`,
    logs: lastLines(await options.logs()),
  });
}

function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-failureLogLinesMax).join("\n");
}
