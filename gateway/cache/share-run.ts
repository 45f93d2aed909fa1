import { canceledError, GatewayError } from "../errors.ts";
import { logMemoryBytesMax } from "../limits.ts";
import type { Run } from "../prediction/run.ts";
import type { Candidate } from "../route/candidate.ts";
import type { OpenLeg } from "../route/journey.ts";
import type { EventKind, StreamEvent } from "../stream/event.ts";
import { reportedUsage } from "../usage/usage.ts";
import type { AnswerCache } from "./answer-cache.ts";
import { sizeOf, type CachedAnswer, type CachedEvent } from "./answer.ts";
import type { CacheAsk } from "./ask.ts";

export interface ShareRunOptions {
  readonly run: Run;
  readonly ask: CacheAsk;
  readonly cache: AnswerCache;
  /** What could answer it, in order; a cached leg is booked to the first. @throws `GatewayError` when nothing can */
  readonly candidates: () => readonly Candidate[];
  /** Takes the run to its end at an upstream; never rejects. */
  readonly execute: () => Promise<void>;
}

/**
 * Answers a run whose answer may be shared: from the cache; else by following a run of the same kind that is under way;
 * else at an upstream, with the answer kept for those who come later. Whoever follows has events, an end and a bill
 * (nothing) of its own: leaving ends nobody else's answer, and the upstream is stopped when the last one has left. The
 * run that was first pays; when it is canceled before it said anything, one that followed takes its place.
 */
export async function shareRun(options: ShareRunOptions): Promise<void> {
  const { run, ask, cache } = options;
  try {
    for (;;) {
      const leader = leaderOf(options);
      if (leader !== undefined) {
        if (await join(options, leader)) return;
        continue;
      }
      const found = cache.find(ask.key);
      const answer = found instanceof Promise ? await found : found;
      run.signal.throwIfAborted();
      if (answer !== undefined) {
        await replay(options, answer);
        return;
      }
      if (leaderOf(options) === undefined) break;
    }
  } catch (error) {
    run.fail(GatewayError.from(run.signal.aborted ? run.signal.reason : error));
    return;
  }
  await lead(options);
}

/** A run to follow; one that has failed is nobody's example, although it may still be cleaning up. */
function leaderOf({ ask, cache }: ShareRunOptions): Run | undefined {
  const leader = cache.leaders.get(ask.key);
  return leader?.outcome?.failure === undefined ? leader : undefined;
}

/** The stored events as this run's own. */
async function replay(options: ShareRunOptions, answer: CachedAnswer): Promise<void> {
  const { run, cache } = options;
  cache.counts.hits += 1;
  run.cached = { status: "HIT", ageMs: Math.max(0, cache.nowMs - answer.storedAtMs) };
  const leg = beginLeg(options);
  run.markSent(() => run.cut(canceledError()));
  leg.end(cachedEnd(answer.events.at(-1)?.data));
  let unspilledBytes = 0;
  for (const { kind, data } of answer.events) {
    run.take(kind, data);
    unspilledBytes += data.length;
    if (unspilledBytes < logMemoryBytesMax) continue;
    // A large answer goes to its log's file in between.
    unspilledBytes = 0;
    await new Promise((resolve) => setImmediate(resolve));
    run.signal.throwIfAborted();
  }
}

/** False when the leader was canceled before it said anything, so that this run is to go on by itself. */
async function join(options: ShareRunOptions, leader: Run): Promise<boolean> {
  const { run, cache } = options;
  cache.counts.joined += 1;
  run.cached = { status: "JOINED" };
  const leg = beginLeg(options);
  const leave = leader.attach();
  try {
    const hasAnswered = await mirror(run, leader, leg);
    const failure = leader.outcome?.failure;
    const isLeft = failure?.code === "canceled";
    if (run.outcome === undefined && isLeft && !hasAnswered && !run.signal.aborted) {
      leg.end({ state: "abandoned", metrics: {} });
      run.markUnsent();
      run.cached = undefined;
      cache.counts.joined -= 1;
      return false;
    }
    run.signal.throwIfAborted();
    leg.end(endOf(failure));
    if (failure !== undefined) run.fail(isLeft ? leftInTheMiddle(failure) : failure);
    return true;
  } catch (error) {
    leg.end({ state: run.signal.aborted ? "canceled" : "failed", metrics: {} });
    throw error;
  } finally {
    leave();
  }
}

/** Takes the leader's events as they come; true when output was among them. Returns early when this run is to stop. */
async function mirror(run: Run, leader: Run, leg: OpenLeg): Promise<boolean> {
  let hasAnswered = false;
  for await (const batch of leader.log.read({ from: 0, signal: run.signal })) {
    run.signal.throwIfAborted();
    if (!run.isSent) run.markSent(() => run.cut(canceledError()));
    if (leader.served !== undefined && run.served === undefined) {
      run.turnTo(leader.answering, leader.served);
    }
    for (const event of batch) {
      if (isLast(event) && leader.outcome?.failure !== undefined) return hasAnswered;
      if (isLast(event)) leg.end(cachedEnd(event.data));
      run.take(event.kind, event.data);
      if (!isOutput(event.kind)) continue;
      hasAnswered = true;
      leg.markOutput();
    }
  }
  return hasAnswered;
}

async function lead({ run, ask, cache, execute }: ShareRunOptions): Promise<void> {
  cache.counts.misses += 1;
  run.cached = { status: "MISS" };
  const { generation } = cache;
  cache.leaders.set(ask.key, run);
  try {
    await execute();
    // Found by the next caller before the leader is gone, so that no call falls between the two.
    const isWhole = run.outcome?.status === "succeeded" && run.answering.id === ask.model;
    const events = isWhole ? await eventsOf(run, cache.entryBytesMax) : undefined;
    if (events !== undefined) cache.store(ask, events, generation);
  } finally {
    if (cache.leaders.get(ask.key) === run) cache.leaders.delete(ask.key);
  }
}

/** The events of the answer as it stands; undefined for one that is too large, or was made by two models. */
async function eventsOf(run: Run, bytesMax: number): Promise<readonly CachedEvent[] | undefined> {
  let events: CachedEvent[] = [];
  const { signal } = new AbortController();
  for await (const batch of run.log.read({ from: 0, signal })) {
    for (const { kind, data } of batch) {
      if (kind === "handover" || kind === "error") return undefined;
      if (kind === "restart") events = [];
      else events.push({ kind, data });
    }
    if (sizeOf({ events }) > bytesMax) return undefined;
  }
  return events.at(-1)?.kind === "completed" ? events : undefined;
}

function beginLeg({ run, candidates }: ShareRunOptions): OpenLeg {
  const [first] = candidates();
  if (first === undefined)
    throw new GatewayError("provider_not_configured", "Nothing can answer it.");
  return run.journey.begin(first);
}

/** The tokens that the answer cost when it was made; told in logs, and not paid again. */
function cachedEnd(completed: Buffer | undefined): Parameters<OpenLeg["end"]>[0] {
  try {
    const { metrics = {} } = JSON.parse(completed?.toString("utf8") ?? "{}") as {
      readonly metrics?: Readonly<Record<string, unknown>>;
    };
    const usage = reportedUsage(metrics);
    return { state: "cached", metrics: {}, ...(usage !== undefined && { usage }) };
  } catch {
    return { state: "cached", metrics: {} };
  }
}

function endOf(failure: GatewayError | undefined): Parameters<OpenLeg["end"]>[0] {
  if (failure === undefined) return { state: "cached", metrics: {} };
  const { code, message } = failure;
  return { state: "failed", metrics: {}, code, error: message };
}

function isLast({ kind }: StreamEvent): boolean {
  return kind === "completed" || kind === "error";
}

function isOutput(kind: EventKind): boolean {
  return kind === "output" || kind === "raw" || kind === "restart" || kind === "handover";
}

function leftInTheMiddle(cause: GatewayError): GatewayError {
  return new GatewayError(
    "upstream_cut",
    "The call that this one had joined was canceled in the middle of its answer.",
    { cause, retryAfterMs: 0 },
  );
}
