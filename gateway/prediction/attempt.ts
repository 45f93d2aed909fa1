import { setTimeout as sleep } from "node:timers/promises";

import { fromAcquireError, GatewayError } from "../errors.ts";
import {
  acceptedQueueMs,
  acceptedRetryDelayMs,
  acceptedRetryMs,
  startAttemptsMax,
  startRetryDelayMs,
  startWaitMs,
  type Deadlines,
} from "../limits.ts";
import { cancelPrediction } from "../upstream/cancel.ts";
import type { Pools } from "../upstream/pools.ts";
import { predict } from "../upstream/predict.ts";
import { forwardStream } from "../upstream/provider/forward-stream.ts";
import type { FetchFile } from "../upstream/provider/fetch-file.ts";
import { runOnProvider } from "../upstream/provider/run-provider.ts";
import type { Target } from "../upstream/provider/target.ts";
import { originOf } from "../upstream/provider/url.ts";
import { NotBegunError } from "../upstream/translate.ts";
import type { Lease, Upstream, WaitPhase } from "../upstream/upstream.ts";
import type { LegRun } from "./leg-run.ts";

export interface AttemptServices {
  readonly upstream: Upstream;
  readonly pools: Pools;
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

export interface AttemptOptions extends AttemptServices {
  readonly leg: LegRun;
  /** The gateway's, with what the policy says over them. */
  readonly deadlines: Deadlines;
  /** No other upstream is left: a model that is busy or cannot start for now is worth waiting for. */
  readonly isLast: boolean;
}

/**
 * One leg: the request, its answer, and for own deployments a slot first, and another one when the first certainly did
 * not begin it. Resolves when the upstream has said its last word, which may be a failure that the leg holds.
 * @throws `GatewayError`, or what ended the leg's signal
 */
export async function attempt(options: AttemptOptions): Promise<void> {
  const { leg, pools, deadlines, fetchFile } = options;
  const { target } = leg.candidate;
  if (target.kind === "deployment") {
    const input = await options.prepareInput(leg.input);
    await runOnDeployment({ ...options, target, input });
    return;
  }
  const { provider, model } = target;
  if (leg.wire !== undefined) {
    const key = leg.run.request.providerKey ?? provider.key;
    const pool = pools.get(originOf(provider.baseUrl), leg.policy.deadlines.connectMs);
    await forwardStream({ leg, wire: leg.wire, provider, key, pool, deadlines });
    return;
  }
  const input = await options.prepareInput(leg.input);
  await runOnProvider({ leg, provider, model, input, pools, deadlines, fetchFile });
}

async function runOnDeployment(
  options: AttemptOptions & {
    readonly target: Target & { readonly kind: "deployment" };
    readonly input: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  const { leg, clock, isLast } = options;
  const { run } = leg;
  const deadline = clock() + acceptedRetryMs;
  let isStreaming = leg.candidate.entry.isStreaming;
  for (let tries = 1; ; tries += 1) {
    const lease = await acquire(options);
    try {
      await predictOn({ ...options, lease, isStreaming });
      return;
    } catch (error) {
      if (!(error instanceof NotBegunError) || leg.signal.aborted) throw error;
      leg.markUnsent();
      if (error.why === "not-streaming") isStreaming = false;
      else if (!isLast) throw notBegunFailure(error);
      // Accepted means not lost: a recorded prediction waits, a caller on the line is told to come back.
      const isOver = run.request.isRecorded ? clock() > deadline : tries >= startAttemptsMax;
      if (isOver) throw notBegunFailure(error);
      const delayMs = Math.min(startRetryDelayMs * 2 ** (tries - 1), acceptedRetryDelayMs);
      await sleep(delayMs, undefined, { signal: leg.signal });
    }
  }
}

/** A slot on an instance; an accepted prediction waits longer than a caller who can be told to come back. */
async function acquire(
  options: AttemptOptions & { readonly target: Target & { readonly kind: "deployment" } },
): Promise<Lease> {
  const { leg, clock, isLast, target } = options;
  const { isRecorded } = leg.run.request;
  const beganAt = clock();
  for (;;) {
    leg.signal.throwIfAborted();
    try {
      return await acquireOnce(options, target.modelId);
    } catch (error) {
      leg.signal.throwIfAborted();
      const failure = fromAcquireError(error);
      if (!isRecorded || !isLast || !failure.isRetryable) throw failure;
      // A full queue is no fault: what was accepted waits its turn.
      const waitsMs = failure.code === "capacity" ? acceptedQueueMs : acceptedRetryMs;
      if (clock() > beganAt + waitsMs) throw failure;
      await sleep(failure.retryAfterMs ?? acceptedRetryDelayMs, undefined, { signal: leg.signal });
    }
  }
}

/**
 * A start that takes longer than the route allows goes on, for the next call, and is not waited for. An accepted
 * prediction has nobody on the line: it waits as long as it takes, unless its route says otherwise.
 */
async function acquireOnce({ leg, upstream }: AttemptOptions, modelId: string): Promise<Lease> {
  const { version, entry } = leg.candidate;
  const { isRecorded } = leg.run.request;
  const given = leg.policy.deadlines.startMs;
  const startMs = given ?? (isRecorded ? undefined : startWaitMs);
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(leg.signal.reason);
  let timer: NodeJS.Timeout | undefined;
  const limit = (): void => {
    if (startMs === undefined) return;
    timer ??= setTimeout(() => stop.abort(startTooLong(entry.id, startMs)), startMs);
  };
  // Who finds a slot free needs no timer.
  if (given !== undefined) limit();
  const onPhase = (phase: WaitPhase): void => {
    limit();
    leg.run.wait.note(phase);
  };
  leg.signal.addEventListener("abort", onAbort, { once: true });
  try {
    const signal = stop.signal;
    const versioned = version === undefined ? {} : { version };
    return live(leg, await upstream.acquire(modelId, { signal, onPhase, ...versioned }));
  } catch (error) {
    if (stop.signal.aborted && !leg.signal.aborted) throw stop.signal.reason;
    throw error;
  } finally {
    leg.signal.removeEventListener("abort", onAbort);
    clearTimeout(timer);
    leg.run.wait.end();
  }
}

/** A slot that came too late goes back. */
function live(leg: LegRun, lease: Lease): Lease {
  if (!leg.signal.aborted) return lease;
  lease.release("done");
  throw leg.signal.reason;
}

async function predictOn(
  options: AttemptOptions & {
    readonly lease: Lease;
    readonly isStreaming: boolean;
    readonly input: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  const { leg, lease, pools, deadlines } = options;
  const { run } = leg;
  const pool = pools.get(lease.origin, leg.policy.deadlines.connectMs);
  // Two legs of one run may be with the same instance.
  const predictionId = leg.leg.begin.index === 0 ? run.id : leg.leg.begin.id;
  let cancelTimer: NodeJS.Timeout | undefined;
  const cancelUpstream = (): void => {
    void cancelPrediction({ pool, predictionId });
    cancelTimer = setTimeout(() => {
      run.cut(new GatewayError("canceled", "The prediction was canceled."));
    }, deadlines.cancelMs);
  };
  leg.serve(lease);
  options.onServed(lease);
  let outcome: "done" | "failed" = "failed";
  try {
    await predict({
      pool,
      predictionId,
      input: options.input,
      ...(run.request.context === undefined ? {} : { context: run.request.context }),
      isStreaming: options.isStreaming,
      deadlines,
      signal: leg.signal,
      onSend: () => leg.markSent(cancelUpstream),
      onEvent: (kind, data) => leg.take(kind, data),
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

function startTooLong(modelId: string, startMs: number): GatewayError {
  return new GatewayError("start_timeout", `${modelId} did not start within ${startMs} ms.`, {
    retryAfterMs: acceptedRetryDelayMs,
    hint: "It goes on starting: the same call may find it ready.",
  });
}
