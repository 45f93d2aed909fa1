import { setTimeout as sleep } from "node:timers/promises";

import { GatewayError } from "../errors.ts";
import {
  acceptedRetryDelayMs,
  acceptedRetryMs,
  startRetryDelayMs,
  type Deadlines,
} from "../limits.ts";
import type { Breakers } from "../route/breaker.ts";
import type { Candidate } from "../route/candidate.ts";
import { candidatesOf } from "../route/candidates.ts";
import { Itinerary, mergePolicies, type PolicyChoice, type Stop } from "../route/itinerary.ts";
import { deadlinesOf, type RoutePolicy } from "../route/policy.ts";
import type { Providers } from "../upstream/provider/providers.ts";
import { attempt, type AttemptServices } from "./attempt.ts";
import { Contest } from "./contest.ts";
import type { LegRun } from "./leg-run.ts";
import { openLegRun, recoveryOf, refusalOf } from "./open-leg-run.ts";
import type { Run } from "./run.ts";
import { wakeInstead } from "./wake.ts";

export interface ExecuteOptions extends AttemptServices {
  readonly run: Run;
  readonly providers: Providers;
  readonly deadlines: Deadlines;
  readonly breakers: Breakers;
  /** The gateway's own, under what routes and calls say. */
  readonly policy?: Partial<RoutePolicy> | undefined;
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
    const reason: unknown = run.signal.aborted ? run.signal.reason : error;
    run.fail(GatewayError.from(reason));
  }
}

/** How a leg ended; without a failure it has given the answer. */
interface Lap {
  readonly stop: Stop;
  readonly leg: LegRun;
  readonly failure?: GatewayError;
}

async function carry(options: ExecuteOptions): Promise<void> {
  const { run, providers, clock, breakers } = options;
  const { request } = run;
  const giveUpAt = clock() + acceptedRetryMs;
  const itinerary = new Itinerary({
    candidates: request.candidates ?? candidatesOf(request, providers),
    breakers,
    policyOf: (candidate) => policyFor(options, candidate),
  });
  for (;;) {
    const lap = await travel(options, itinerary);
    const { leg, failure } = lap;
    if (failure === undefined) return;
    const mayWait = request.isRecorded && failure.isRetryable && !leg.hasBegun;
    if (!mayWait || run.isCanceling || run.signal.aborted || clock() > giveUpAt) {
      if (leg.held === undefined) throw failure;
      run.take(leg.held.kind, leg.held.data);
      return;
    }
    // Accepted means not lost: it waits, and all get another turn.
    run.markUnsent();
    const delayMs = Math.max(failure.retryAfterMs ?? acceptedRetryDelayMs, startRetryDelayMs);
    await sleep(delayMs, undefined, { signal: run.signal });
    itinerary.again();
  }
}

/** From upstream to upstream until one has answered, or none is left. */
async function travel(options: ExecuteOptions, itinerary: Itinerary): Promise<Lap> {
  const { run } = options;
  let last: Lap | undefined;
  let refusal: GatewayError | undefined;
  for (;;) {
    const stop = itinerary.next();
    if (stop === undefined) return last ?? nothingLeft(run, refusal);
    refusal = refusalOf(run, stop);
    const isPassed = refusal !== undefined || (!stop.isLast && wakeInstead({ ...options, stop }));
    if (isPassed) {
      itinerary.passedOver(stop);
      continue;
    }
    const before = last?.failure;
    const isHedged = stop.policy.hedgeMs !== undefined && itinerary.hasFresh;
    const lap: Lap = isHedged
      ? await race(options, itinerary, { stop, before })
      : await solo(options, { stop, before });
    last = lap;
    const { failure, leg } = lap;
    if (failure === undefined) {
      itinerary.succeeded(lap.stop);
      return lap;
    }
    const step = itinerary.failed(lap.stop, failure, { hasBegun: cannotRepeat(leg) });
    const isOver = step.kind === "over" || run.isCanceling || run.signal.aborted;
    if (isOver || recoveryOf(run, lap.stop.policy) === "fail") return lap;
    if (step.delayMs > 0) await sleep(step.delayMs, undefined, { signal: run.signal });
  }
}

/** A text can be written again; a job that was begun would be paid twice. */
function cannotRepeat(leg: LegRun): boolean {
  return leg.hasBegun && leg.candidate.entry.task !== "text-generation";
}

interface Turn {
  readonly stop: Stop;
  /** Why the leg before it failed. */
  readonly before: GatewayError | undefined;
  readonly contest?: Contest;
}

async function solo(options: ExecuteOptions, turn: Turn): Promise<Lap> {
  const { run } = options;
  const { stop } = turn;
  const leg = openLegRun({ run, ...turn });
  try {
    const deadlines = deadlinesOf(options.deadlines, stop.policy);
    await attempt({ ...options, leg, deadlines, isLast: stop.isLast });
    if (leg.held === undefined) return { stop, leg };
    leg.end("failed", leg.held.failure);
    return { stop, leg, failure: leg.held.failure };
  } catch (error) {
    const reason: unknown = leg.signal.aborted ? leg.signal.reason : error;
    const failure = GatewayError.from(reason);
    leg.end(failure.code === "canceled" ? "canceled" : "failed", failure);
    return { stop, leg, failure };
  }
}

/**
 * Asks the next upstream beside one that says nothing for a while. The first to say something answers; the others end.
 * When all fail, the last failure is told, and the earlier ones are noted.
 */
async function race(
  options: ExecuteOptions,
  itinerary: Itinerary,
  { stop: first, before }: Turn,
): Promise<Lap> {
  const contest = new Contest();
  const running = new Set<Promise<Lap>>();
  const enter = (stop: Stop): void => {
    const lap = solo(options, { stop, before, contest }).then((ended) => {
      running.delete(lap);
      return ended;
    });
    running.add(lap);
  };
  enter(first);
  let stop: Stop | undefined = first;
  for (;;) {
    const { hedgeMs } = stop?.policy ?? {};
    const mayEnter = hedgeMs !== undefined && contest.winner === undefined && itinerary.hasFresh;
    const lap = await settledFirst(running, mayEnter ? hedgeMs : undefined);
    if (lap === undefined) {
      if (contest.winner !== undefined || options.run.signal.aborted) continue;
      stop = itinerary.next();
      if (stop === undefined) continue;
      if (refusalOf(options.run, stop) === undefined) enter(stop);
      else itinerary.passedOver(stop);
      continue;
    }
    const isOver = lap.failure === undefined || lap.leg === contest.winner || running.size === 0;
    if (isOver) return lap;
    // A leg that lost says nothing about its upstream; one that failed does.
    if (contest.winner === undefined) {
      itinerary.failed(lap.stop, lap.failure, { hasBegun: cannotRepeat(lap.leg) });
    } else {
      itinerary.passedOver(lap.stop);
    }
  }
}

/** The first of them that ends; undefined when that takes longer than `ms`. */
async function settledFirst(
  running: ReadonlySet<Promise<Lap>>,
  ms: number | undefined,
): Promise<Lap | undefined> {
  if (ms === undefined) return Promise.race(running);
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ms);
  try {
    return await Promise.race([...running, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function policyFor({ run, policy }: ExecuteOptions, candidate: Candidate): PolicyChoice {
  const { request } = run;
  return mergePolicies(policy, request.policy, candidate.policy, request.overrides);
}

function nothingLeft(run: Run, refusal: GatewayError | undefined): never {
  if (refusal !== undefined) throw refusal;
  throw new GatewayError("provider_not_configured", `Nothing can answer ${run.entry.id} now.`);
}
