import { setTimeout as sleep } from "node:timers/promises";

import { fromAcquireError, GatewayError } from "../errors.ts";
import {
  acceptedQueueMs,
  acceptedRetryDelayMs,
  acceptedRetryMs,
  startAttemptsMax,
  startRetryDelayMs,
  type Deadlines,
} from "../limits.ts";
import { cancelPrediction } from "../upstream/cancel.ts";
import type { Pools } from "../upstream/pools.ts";
import { predict } from "../upstream/predict.ts";
import { forwardStream } from "../upstream/provider/forward-stream.ts";
import type { FetchFile } from "../upstream/provider/fetch-file.ts";
import type { Provider, Providers } from "../upstream/provider/providers.ts";
import { runOnProvider } from "../upstream/provider/run-provider.ts";
import { chooseTarget } from "../upstream/provider/target.ts";
import { NotBegunError } from "../upstream/translate.ts";
import type { Lease, Upstream } from "../upstream/upstream.ts";
import type { Run } from "./run.ts";

export interface ExecuteOptions {
  readonly run: Run;
  readonly upstream: Upstream;
  readonly providers: Providers;
  readonly pools: Pools;
  readonly deadlines: Deadlines;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Makes of an accepted input what the model gets (uploaded files as data URIs). */
  readonly prepareInput: (
    input: Readonly<Record<string, unknown>>,
  ) => Promise<Readonly<Record<string, unknown>>>;
  /** Gets a file that a caller named by URL, for a third party that takes bytes only. */
  readonly fetchFile: FetchFile;
  /** An instance has been found for the run. */
  readonly onServed: (lease: Lease) => void;
}

/**
 * Takes a run from waiting to its end: a slot, the prediction, and another slot when the first one certainly did not
 * begin it. Everything that can go wrong ends in the run's outcome; nothing is thrown.
 */
export async function execute(options: ExecuteOptions): Promise<void> {
  const { run } = options;
  try {
    await attempt(options);
  } catch (error) {
    run.fail(failureOf(run, error));
  }
}

async function attempt(options: ExecuteOptions): Promise<void> {
  const { run, clock } = options;
  const deadline = clock() + acceptedRetryMs;
  let isStreaming = run.entry.isStreaming;
  const target = chooseTarget(run.entry, options.providers, run.request.providerKey);
  const { wire } = run.request;
  if (target.kind === "provider" && wire !== undefined) {
    const { provider } = target;
    const key = run.request.providerKey ?? provider.key;
    const pool = options.pools.get(new URL(provider.baseUrl).origin);
    await forwardStream({ run, wire, provider, key, pool, deadlines: options.deadlines });
    return;
  }
  const input = await options.prepareInput(run.request.input);
  if (target.kind === "provider") {
    await runOnThirdParty(options, { ...target, input, deadline });
    return;
  }
  for (let tries = 1; ; tries += 1) {
    const lease = await acquire({ ...options, modelId: target.modelId });
    try {
      await predictOn({ ...options, lease, isStreaming, input });
      return;
    } catch (error) {
      if (!(error instanceof NotBegunError) || run.signal.aborted) throw error;
      run.markUnsent();
      if (error.why === "not-streaming") isStreaming = false;
      // Accepted means not lost: a recorded prediction waits, a caller on the line is told to come back.
      const isOver = run.request.isRecorded ? clock() > deadline : tries >= startAttemptsMax;
      if (isOver) throw notBegunFailure(error);
      const delayMs = Math.min(startRetryDelayMs * 2 ** (tries - 1), acceptedRetryDelayMs);
      await sleep(delayMs, undefined, { signal: run.signal });
    }
  }
}

/** A third party that limits the rate, or is not reached, is tried again for an accepted prediction that has not begun. */
async function runOnThirdParty(
  options: ExecuteOptions,
  target: {
    readonly provider: Provider;
    readonly model: string;
    readonly input: Readonly<Record<string, unknown>>;
    readonly deadline: number;
  },
): Promise<void> {
  const { run, pools, deadlines, fetchFile, clock } = options;
  const { provider, model, input, deadline } = target;
  for (;;) {
    try {
      await runOnProvider({ run, provider, model, input, pools, deadlines, fetchFile });
      return;
    } catch (error) {
      const hasBegun = run.log.length > 0 || !GatewayError.from(error).isRetryable;
      if (hasBegun || !run.request.isRecorded || run.signal.aborted || clock() > deadline) {
        throw error;
      }
      run.markUnsent();
      const wantedMs = GatewayError.from(error).retryAfterMs ?? acceptedRetryDelayMs;
      const delayMs = Math.max(wantedMs, startRetryDelayMs);
      await sleep(delayMs, undefined, { signal: run.signal });
    }
  }
}

/** A slot on an instance; an accepted prediction waits longer than a caller who can be told to come back. */
async function acquire(options: ExecuteOptions & { readonly modelId: string }): Promise<Lease> {
  const { run, upstream, clock } = options;
  const beganAt = clock();
  for (;;) {
    run.signal.throwIfAborted();
    try {
      const { version } = run.request;
      const lease = await upstream.acquire(options.modelId, {
        signal: run.signal,
        ...(version === undefined ? {} : { version }),
      });
      if (run.signal.aborted) {
        lease.release("done");
        run.signal.throwIfAborted();
      }
      return lease;
    } catch (error) {
      run.signal.throwIfAborted();
      const failure = fromAcquireError(error);
      if (!run.request.isRecorded || !failure.isRetryable) throw failure;
      // A full queue is no fault: what was accepted waits its turn.
      const waitsMs = failure.code === "capacity" ? acceptedQueueMs : acceptedRetryMs;
      if (clock() > beganAt + waitsMs) throw failure;
      await sleep(failure.retryAfterMs ?? acceptedRetryDelayMs, undefined, { signal: run.signal });
    }
  }
}

async function predictOn(
  options: ExecuteOptions & {
    readonly lease: Lease;
    readonly isStreaming: boolean;
    readonly input: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  const { run, lease, pools, deadlines } = options;
  const pool = pools.get(lease.origin);
  let cancelTimer: NodeJS.Timeout | undefined;
  const cancelUpstream = (): void => {
    void cancelPrediction({ pool, predictionId: run.id });
    cancelTimer = setTimeout(() => {
      run.cut(new GatewayError("canceled", "The prediction was canceled."));
    }, deadlines.cancelMs);
  };
  run.served = { instanceId: lease.instanceId, version: lease.version, start: lease.start };
  options.onServed(lease);
  let outcome: "done" | "failed" = "failed";
  try {
    await predict({
      pool,
      predictionId: run.id,
      input: options.input,
      ...(run.request.context === undefined ? {} : { context: run.request.context }),
      isStreaming: options.isStreaming,
      deadlines,
      signal: run.signal,
      onSend: () => run.markSent(cancelUpstream),
      onEvent: (kind, data) => run.take(kind, data),
    });
    outcome = "done";
  } catch (error) {
    if (isHealthy(error)) outcome = "done";
    throw error;
  } finally {
    clearTimeout(cancelTimer);
    lease.release(outcome);
  }
}

/** The instance answered as it should; only this request was refused. */
function isHealthy(error: unknown): boolean {
  if (error instanceof NotBegunError) return error.why === "busy" || error.why === "not-streaming";
  return error instanceof GatewayError && error.code === "invalid_input";
}

function notBegunFailure(error: NotBegunError): GatewayError {
  return new GatewayError("capacity", `The model could not take the prediction: ${error.message}`, {
    cause: error,
    retryAfterMs: acceptedRetryDelayMs,
  });
}

function failureOf(run: Run, error: unknown): GatewayError {
  const reason: unknown = run.signal.aborted ? run.signal.reason : error;
  return GatewayError.from(reason);
}
