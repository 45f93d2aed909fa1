import { GatewayError, shuttingDown } from "../errors.ts";
import type { OnGatewayEvent } from "../events.ts";
import {
  finishedBytesMax,
  finishedRunRetentionMs,
  finishedRunsMax,
  retryAfterDefaultMs,
  runsInFlightMax,
  type Deadlines,
} from "../limits.ts";
import type { AnswerCache } from "../cache/answer-cache.ts";
import { shareRun } from "../cache/share-run.ts";
import type { Catalog, CatalogEntry } from "../catalog/entry.ts";
import { findModel } from "../catalog/find.ts";
import { EventLog } from "../stream/event-log.ts";
import type { Journal } from "../stream/journal.ts";
import type { Telemetry } from "../telemetry/call-record.ts";
import type { Breakers } from "../route/breaker.ts";
import { Journey } from "../route/journey.ts";
import type { RoutePolicy } from "../route/policy.ts";
import type { Accounts } from "../usage/accounts.ts";
import { reportedUsage } from "../usage/usage.ts";
import type { Pools } from "../upstream/pools.ts";
import type { Providers } from "../upstream/provider/providers.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { Webhooks } from "../webhook/webhooks.ts";
import { candidatesOf } from "../route/candidates.ts";
import { requestOf } from "./again.ts";
import { execute, type ExecuteOptions } from "./execute.ts";
import { journeyFacts, spendFacts } from "./journey-facts.ts";
import { interruptKept, isPastItsTime, readKept } from "./kept-run.ts";
import { Orphans } from "./orphans.ts";
import { payloadOf } from "./payload.ts";
import { Run, type RunHooks, type RunRequest } from "./run.ts";
import type { PredictionRecord, PredictionStore } from "./store.ts";

export interface RunnerOptions {
  readonly upstream: Upstream;
  readonly providers: Providers;
  readonly catalog: Catalog;
  readonly predictions: PredictionStore;
  readonly pools: Pools;
  readonly deadlines: Deadlines;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly idSource: () => string;
  /** Where the event logs keep what can be read again, and what does not fit in memory. */
  readonly journal: Journal;
  readonly onEvent: OnGatewayEvent;
  readonly prepareInput: ExecuteOptions["prepareInput"];
  readonly fetchFile: ExecuteOptions["fetchFile"];
  readonly detachOutput: RunHooks["detachOutput"];
  readonly webhooks: Pick<Webhooks, "onChange" | "onEnd">;
  readonly cache: AnswerCache;
  readonly accounts: Accounts;
  readonly telemetry: Telemetry;
  readonly breakers: Breakers;
  /** Under what routes and calls say. */
  readonly policy?: Partial<RoutePolicy> | undefined;
}

/** How often finished runs are looked through for those whose retention has passed. */
const sweepIntervalMs = 30_000;

/** All predictions that wait, run, or ended not long ago. */
export class PredictionRunner {
  readonly #options: RunnerOptions;
  readonly #runs = new Map<string, Run>();
  /** Finished ones in the order in which they ended. */
  readonly #finished = new Map<string, { readonly endedAt: number; readonly bytes: number }>();
  readonly #working = new Set<Promise<void>>();
  readonly #sweep: NodeJS.Timeout;
  readonly #orphans: Orphans;
  #finishedBytes = 0;
  #writtenMs = Number.NaN;
  #writtenNow = "";
  #inFlight = 0;
  #isClosing = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#orphans = new Orphans(options.onEvent);
    for (const { id, events } of interruptKept(options.journal, this.#now())) {
      options.onEvent({ type: "stream-recover", predictionId: id, events });
    }
    this.#sweep = setInterval(() => this.#forgetOld(), sweepIntervalMs).unref();
  }

  /**
   * Accepts a prediction and begins it. A recorded one is in the store when this returns.
   * @throws {GatewayError} `shutting_down`, `capacity`, `budget_exceeded`, `conflict` for an id in use
   */
  start(request: RunRequest): Run {
    try {
      return this.#start(request);
    } catch (error) {
      request.meter?.end();
      throw error;
    }
  }

  #start(request: RunRequest): Run {
    this.#admit(request);
    const { accounts, cache } = this.#options;
    // A stored answer costs nothing: an empty budget does not hold it back.
    if (request.cache === undefined || !cache.has(request.cache.key)) {
      accounts.admit(spendFacts(request));
    }
    const run = this.#create(request);
    if (request.isRecorded) this.#options.predictions.insert(run.record());
    this.#begin(run);
    return run;
  }

  /** A run in flight or finished not long ago. */
  find(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  /** As `find`, and else a stream that has ended and is still kept, of a former process too: it can be read again. */
  findStream(id: string): Run | undefined {
    const run = this.#runs.get(id);
    const { journal } = this.#options;
    if (run !== undefined) return isPastItsTime(run, this.#options.clock()) ? undefined : run;
    const stream = journal.find(id);
    if (stream?.ended === undefined) return undefined;
    try {
      const revived = readKept(journal, stream);
      const kept = this.#build(id, revived.request, EventLog.ofKept(journal, stream));
      kept.restore(revived);
      return kept;
    } catch (cause) {
      this.#options.onEvent({ type: "journal-fail", streams: 1, cause });
      return undefined;
    }
  }

  /** Forgets what is kept of a stream; one that runs is to be canceled by the caller. */
  forgetStream(id: string): void {
    const run = this.#runs.get(id);
    if (run !== undefined && run.outcome !== undefined) this.#forget(run);
    this.#options.journal.forget(id);
  }

  /** A recorded prediction, from memory when it is there. */
  record(id: string): PredictionRecord | undefined {
    const run = this.#runs.get(id);
    return run?.request.isRecorded === true ? run.record() : this.#options.predictions.get(id);
  }

  /**
   * Takes up what a former process left: predictions that had not begun run again, with their context, version,
   * deadline and webhook. Begun ones are marked failed: coglet (0.23) cancels a prediction when its last connection
   * breaks, as it does with the process, and how far the model came nobody knows.
   */
  recover(): void {
    for (const record of this.#options.predictions.unfinished()) {
      if (this.#runs.has(record.id)) continue;
      const entry = this.#entryOf(record);
      const isRunAgain = record.status === "starting" && entry !== undefined;
      this.#options.onEvent({
        type: "prediction-recover",
        predictionId: record.id,
        model: record.model,
        action: isRunAgain ? "run-again" : "mark-failed",
      });
      if (isRunAgain) this.#begin(this.#create({ ...requestOf(record), entry }));
      else this.#markFailed(record, entry);
    }
  }

  /** The model of a record, in the version that the caller had pinned. */
  #entryOf({ model, pinnedVersion }: PredictionRecord): CatalogEntry | undefined {
    const reference = pinnedVersion === undefined ? model : `${model}:${pinnedVersion}`;
    try {
      return findModel(this.#options.catalog, reference).entry;
    } catch {
      return undefined;
    }
  }

  #markFailed(record: PredictionRecord, entry: CatalogEntry | undefined): void {
    const failed: PredictionRecord = {
      ...record,
      status: "failed",
      error:
        entry === undefined
          ? `Model ${record.model} is no longer deployed.`
          : "The platform stopped while this prediction ran; it was not run again because it had begun.",
      completedAt: this.#now(),
    };
    this.#options.predictions.update(failed);
    this.#options.webhooks.onEnd(failed);
  }

  /**
   * Refuses new predictions, waits for those in flight; when the signal aborts, the rest is stopped. Recorded ones
   * that had not begun stay in the store to be run again.
   */
  async close(options: { readonly signal: AbortSignal }): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#sweep);
    const stop = (): void => {
      for (const run of this.#runs.values()) run.cut(shuttingDown());
    };
    if (options.signal.aborted) stop();
    else options.signal.addEventListener("abort", stop, { once: true });
    await Promise.all(this.#working);
    options.signal.removeEventListener("abort", stop);
    for (const run of this.#runs.values()) run.log.remove();
    this.#runs.clear();
  }

  #admit({ id, isRecorded }: RunRequest): void {
    if (this.#isClosing) throw shuttingDown();
    if (this.#inFlight >= runsInFlightMax) {
      throw new GatewayError("capacity", "Too many predictions are waiting.", {
        retryAfterMs: retryAfterDefaultMs,
      });
    }
    if (id === undefined) return;
    const known = this.#runs.get(id);
    if (known !== undefined && known.outcome === undefined) {
      throw new GatewayError("conflict", `A prediction with the id ${id} is running.`);
    }
    if (isRecorded && this.#options.predictions.get(id) !== undefined) {
      throw new GatewayError("conflict", `There is a prediction with the id ${id} already.`);
    }
    if (known !== undefined) this.#forget(known);
  }

  #create(request: RunRequest): Run {
    const id = request.id ?? this.#options.idSource();
    // What a former run of this id has said is void.
    if (request.id !== undefined) this.#options.journal.forget(id);
    return this.#build(id, request, new EventLog({ id, journal: this.#options.journal }));
  }

  #build(id: string, request: RunRequest, log: EventLog): Run {
    const isStreamed = request.isWhole !== true && !request.isRecorded;
    const journey = new Journey(journeyFacts(id, request, isStreamed), this.#options);
    return new Run(
      { id, request, log, journey },
      {
        now: () => this.#now(),
        callerGraceMs: this.#options.deadlines.callerGraceMs,
        detachOutput: this.#options.detachOutput,
        onChange: (run) => this.#changed(run),
        onOrphan: (run, isOrphan) => this.#orphans.mark(run, isOrphan),
      },
    );
  }

  #begin(run: Run): void {
    this.#runs.set(run.id, run);
    this.#inFlight += 1;
    this.#watchDeadline(run);
    const work = this.#carry(run).finally(() => this.#working.delete(work));
    this.#working.add(work);
  }

  #carry(run: Run): Promise<void> {
    const { cache, providers } = this.#options;
    const { request } = run;
    if (request.cache === undefined) return this.#execute(run);
    return shareRun({
      run,
      ask: request.cache,
      cache,
      candidates: () => request.candidates ?? candidatesOf(request, providers),
      execute: () => this.#execute(run),
    });
  }

  #execute(run: Run): Promise<void> {
    return execute({
      run,
      upstream: this.#options.upstream,
      providers: this.#options.providers,
      pools: this.#options.pools,
      deadlines: this.#options.deadlines,
      clock: this.#options.clock,
      prepareInput: this.#options.prepareInput,
      fetchFile: this.#options.fetchFile,
      breakers: this.#options.breakers,
      policy: this.#options.policy,
      onServed: (lease) =>
        this.#options.onEvent({
          type: "prediction-start",
          predictionId: run.id,
          model: run.entry.id,
          version: lease.version,
          instanceId: lease.instanceId,
          start: lease.start,
        }),
    });
  }

  #watchDeadline(run: Run): void {
    const { deadline } = run.request;
    if (deadline === undefined) return;
    const leftMs = Date.parse(deadline) - this.#options.clock();
    if (leftMs <= 0) {
      run.expire();
      return;
    }
    const timer = setTimeout(() => run.expire(), leftMs);
    void run.finished.then(() => clearTimeout(timer));
  }

  #changed(run: Run): void {
    const { outcome } = run;
    // What had not begun when the platform stops is run again by the next one.
    const isLeftToSuccessor = outcome?.failure?.code === "shutting_down" && !run.isSent;
    if (run.request.isRecorded && !isLeftToSuccessor) {
      this.#update(run);
      this.#options.webhooks.onChange(run);
    }
    if (outcome === undefined) return;
    if (!isLeftToSuccessor) {
      const { status, failure } = outcome;
      run.journey.finish(
        {
          status: run.status === "aborted" ? "aborted" : status,
          ...(failure !== undefined && { failure }),
          ...(run.cached !== undefined && { isCached: run.cached.status !== "MISS" }),
          payload: () => payloadOf(run, outcome),
        },
        run.answering,
      );
    }
    this.#inFlight -= 1;
    const bytes = run.log.memoryBytes;
    this.#finished.set(run.id, { endedAt: this.#options.clock(), bytes });
    this.#finishedBytes += bytes;
    this.#forgetOld();
    const usage = reportedUsage(outcome.metrics);
    this.#options.onEvent({
      type: "prediction-end",
      predictionId: run.id,
      model: run.entry.id,
      status: outcome.status,
      durationMs: this.#options.clock() - Date.parse(run.createdAt),
      ...(outcome.failure === undefined
        ? {}
        : { error: outcome.failure.message, code: outcome.failure.code }),
      ...(usage === undefined ? {} : { usage }),
    });
  }

  /** A prediction does not begin unrecorded; one that has ended keeps its answer although the store refuses. */
  #update(run: Run): void {
    try {
      this.#options.predictions.update(run.record());
    } catch (cause) {
      this.#options.onEvent({ type: "store-fail", predictionId: run.id, cause });
      if (run.outcome === undefined) throw cause;
    }
  }

  #forgetOld(): void {
    const now = this.#options.clock();
    for (const [id, { endedAt }] of this.#finished) {
      const isOver =
        this.#finished.size > finishedRunsMax ||
        this.#finishedBytes > finishedBytesMax ||
        now - endedAt > finishedRunRetentionMs;
      if (!isOver) return;
      const run = this.#runs.get(id);
      // Somebody still reads its events.
      if (run !== undefined && !run.hasListeners) this.#forget(run);
    }
  }

  #forget(run: Run): void {
    this.#runs.delete(run.id);
    this.#finishedBytes -= this.#finished.get(run.id)?.bytes ?? 0;
    this.#finished.delete(run.id);
    run.log.remove();
  }

  /** Many runs change in one millisecond, and writing a date is dear. */
  #now(): string {
    const ms = this.#options.clock();
    if (ms !== this.#writtenMs) {
      this.#writtenMs = ms;
      this.#writtenNow = new Date(ms).toISOString();
    }
    return this.#writtenNow;
  }
}
