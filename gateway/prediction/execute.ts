import { setTimeout as sleep } from "node:timers/promises";

import { GatewayError } from "../errors.ts";
import { acceptedRetryDelayMs, acceptedRetryMs, startRetryDelayMs } from "../limits.ts";
import { candidatesOf } from "../route/candidates.ts";
import { defaultPolicy } from "../route/policy.ts";
import type { Deadlines } from "../limits.ts";
import type { Providers } from "../upstream/provider/providers.ts";
import { attempt, type AttemptServices } from "./attempt.ts";
import { LegRun } from "./leg-run.ts";
import type { Run } from "./run.ts";

export interface ExecuteOptions extends AttemptServices {
  readonly run: Run;
  readonly providers: Providers;
  readonly deadlines: Deadlines;
}

/**
 * Takes a run from waiting to its end, over as many upstreams as it takes. Everything that can go wrong ends in the
 * run's outcome; nothing is thrown.
 */
export async function execute(options: ExecuteOptions): Promise<void> {
  const { run } = options;
  try {
    await carry(options);
  } catch (error) {
    run.fail(failureOf(run, error));
  }
}

async function carry(options: ExecuteOptions): Promise<void> {
  const { run, providers, clock, deadlines } = options;
  const { request } = run;
  const giveUpAt = clock() + acceptedRetryMs;
  const [candidate] = request.candidates ?? candidatesOf(request, providers);
  if (candidate === undefined)
    throw new GatewayError("provider_not_configured", "Nothing can answer it.");
  for (;;) {
    const leg = new LegRun({
      run,
      leg: run.journey.begin(candidate),
      policy: defaultPolicy,
      input: request.input,
      wire: request.wire,
    });
    run.turnTo(candidate.entry, undefined);
    try {
      await attempt({ ...options, leg, deadlines, isLast: true });
      if (leg.held === undefined) return;
      leg.end("failed", leg.held.failure);
      run.take(leg.held.kind, leg.held.data);
      return;
    } catch (error) {
      const failure = failureOf(run, error);
      leg.end(failure.code === "canceled" ? "canceled" : "failed", failure);
      const isOver = leg.hasBegun || !failure.isRetryable || candidate.target.kind === "deployment";
      if (isOver || !request.isRecorded || run.signal.aborted || clock() > giveUpAt) throw failure;
      run.markUnsent();
      const delayMs = Math.max(failure.retryAfterMs ?? acceptedRetryDelayMs, startRetryDelayMs);
      await sleep(delayMs, undefined, { signal: run.signal });
    }
  }
}

function failureOf(run: Run, error: unknown): GatewayError {
  const reason: unknown = run.signal.aborted ? run.signal.reason : error;
  return GatewayError.from(reason);
}
