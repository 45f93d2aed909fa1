import { GatewayError } from "../errors.ts";
import type { Candidate } from "../route/candidate.ts";
import type { OpenLeg } from "../route/journey.ts";
import type { RoutePolicy } from "../route/policy.ts";
import type { EventKind, StreamEvent } from "../stream/event.ts";
import type { WireRequest } from "../upstream/provider/wire-request.ts";
import type { Lease } from "../upstream/upstream.ts";
import { unitsMade } from "../usage/units.ts";
import { reportedUsage, type Usage } from "../usage/usage.ts";
import type { Contest } from "./contest.ts";
import { estimatedUsage, isCountedInTokens } from "./estimate.ts";
import type { Outcome, Run } from "./run.ts";

/** A last event that tells of a failure, held back while another upstream may do better. */
interface HeldEvent {
  readonly kind: EventKind;
  readonly data: Buffer;
  readonly failure: GatewayError;
}

/** How a leg takes over from one that broke off within its answer; said once it has something to say itself. */
export interface TakeOver {
  readonly kind: "restart" | "handover";
  readonly reason: string;
  /** What the answer has so far, for `handover`. */
  readonly text: string;
}

export interface LegRunParts {
  readonly run: Run;
  readonly leg: OpenLeg;
  readonly policy: RoutePolicy;
  readonly input: Readonly<Record<string, unknown>>;
  readonly wire: WireRequest | undefined;
  readonly takeOver?: TakeOver | undefined;
  readonly contest?: Contest | undefined;
}

/**
 * One try of a run at one upstream. What it says goes into the run's log; its last word too, unless that is a failure,
 * which is held back for the run to decide what comes of it.
 */
export class LegRun {
  readonly run: Run;
  readonly leg: OpenLeg;
  readonly policy: RoutePolicy;
  readonly input: Readonly<Record<string, unknown>>;
  readonly wire: WireRequest | undefined;
  /** What the upstream has reported so far, for a leg that breaks off. */
  metrics: Readonly<Record<string, unknown>> = {};
  held: HeldEvent | undefined;
  readonly #takeOver: TakeOver | undefined;
  readonly #contest: Contest | undefined;
  /** Only where a leg may have to stop while its run goes on. */
  readonly #abort: AbortController | undefined;
  readonly #signal: AbortSignal;
  #firstOutputTimer: NodeJS.Timeout | undefined;
  #cancel: (() => void) | undefined;
  #lease: Lease | undefined;
  /** What it said before it was clear which leg answers. */
  #early: { readonly kind: EventKind; readonly data: Buffer }[] = [];
  #hasTakenOver = false;
  /** Position of its first event in the run's log. */
  #from: number;
  #events = 0;
  #outputs = 0;
  #bytes = 0;

  constructor(parts: LegRunParts) {
    this.run = parts.run;
    this.leg = parts.leg;
    this.policy = parts.policy;
    this.input = parts.input;
    this.wire = parts.wire;
    this.#takeOver = parts.takeOver;
    this.#contest = parts.contest;
    this.#from = parts.run.log.length;
    const { firstOutputMs } = parts.policy.deadlines;
    const isAlone = parts.contest === undefined && firstOutputMs === undefined;
    this.#abort = isAlone ? undefined : new AbortController();
    this.#signal =
      this.#abort === undefined
        ? parts.run.signal
        : AbortSignal.any([parts.run.signal, this.#abort.signal]);
    parts.contest?.enter(this);
  }

  get candidate(): Candidate {
    return this.leg.candidate;
  }

  /** Aborts when the leg is to stop at once; the reason is a `GatewayError`. */
  get signal(): AbortSignal {
    return this.#signal;
  }

  /** Whether it did anything: output, or a line about a job that was begun. */
  get hasBegun(): boolean {
    return this.#events > 0;
  }

  get hasOutput(): boolean {
    return this.#outputs > 0;
  }

  /** An instance has been found for it. */
  serve(lease: Lease): void {
    this.#lease = lease;
    if (this.#contest === undefined) this.#turn();
  }

  markSent(cancelUpstream: () => void): void {
    this.#cancel = cancelUpstream;
    this.#limitFirstOutput();
    const contest = this.#contest;
    this.run.markSent(contest === undefined ? cancelUpstream : () => contest.cancelAll());
  }

  /** The instance certainly did not begin: another slot is asked, and the time to the first output begins anew. */
  markUnsent(): void {
    clearTimeout(this.#firstOutputTimer);
    this.run.markUnsent();
  }

  cancelUpstream(): void {
    this.#cancel?.();
  }

  /** Another leg answers: this one ends at once, and whatever it says is nobody's. */
  abandon(why: GatewayError): void {
    this.end("abandoned", why);
    this.#cancel?.();
    this.#abort?.abort(why);
  }

  /** @throws `GatewayError` as `Run.take` */
  take(kind: EventKind, data: Buffer): void {
    this.#events += 1;
    const isOutput = kind === "output" || kind === "raw";
    if (isOutput) {
      if (this.#outputs === 0) this.#begins();
      this.#outputs += 1;
      this.#bytes += data.length;
    }
    if (this.#contest !== undefined && !this.#isMine(kind, data, isOutput)) return;
    this.#put(kind, data);
  }

  /** Ends the leg of a call that goes on elsewhere, or not at all. */
  end(state: "failed" | "canceled" | "abandoned", failure: GatewayError): void {
    clearTimeout(this.#firstOutputTimer);
    const { code, message, upstreamStatus } = failure;
    const isCounted = this.hasOutput || this.metrics["input_tokens"] !== undefined;
    const usage = isCounted ? this.#usage() : undefined;
    this.leg.end({
      state,
      metrics: this.metrics,
      code,
      error: message,
      ...(usage !== undefined && { usage }),
      ...(upstreamStatus !== undefined && { status: upstreamStatus }),
      ...this.#servedBy(),
    });
  }

  #begins(): void {
    this.leg.markOutput();
    clearTimeout(this.#firstOutputTimer);
  }

  /** In a contest: whether this leg is the one that answers. What it says before is kept until that is clear. */
  #isMine(kind: EventKind, data: Buffer, isOutput: boolean): boolean {
    const contest = this.#contest;
    if (contest === undefined || contest.winner === this) return true;
    if (contest.winner !== undefined) return false;
    const isWord = isOutput || kind === "completed" || kind === "error";
    if (!isWord) {
      this.#early.push({ kind, data });
      return false;
    }
    // A failure wins nothing: the others may still answer.
    if (kind === "error") return true;
    if (kind === "completed" && !isOutput && this.#isFailed(data)) return true;
    contest.claim(this);
    this.#turn();
    this.#from = this.run.log.length;
    const early = this.#early;
    this.#early = [];
    for (const event of early) this.#put(event.kind, event.data);
    return true;
  }

  #isFailed(data: Buffer): boolean {
    const { status } = JSON.parse(data.toString("utf8")) as { readonly status?: unknown };
    return status !== "succeeded";
  }

  #put(kind: EventKind, data: Buffer): void {
    if (this.#takeOver !== undefined && !this.#hasTakenOver && kind !== "error") this.#takesOver();
    const whole = kind === "completed" ? this.#withPrefix(data) : data;
    this.run.take(kind, whole, (outcome) => this.#onLast(kind, whole, outcome));
    // After such a word nothing follows, though the connection may stay open.
    if (kind === "error" && this.held !== undefined) throw this.held.failure;
  }

  /** Readers along are told before anything else: what they have is void, or goes on from another place. */
  #takesOver(): void {
    const { kind, reason } = this.#takeOver ?? {};
    if (kind === undefined) return;
    this.#hasTakenOver = true;
    const { index, provider, model } = this.leg.begin;
    this.run.take(kind, json({ leg: index, provider, model, reason }));
    this.#from = this.run.log.length;
  }

  /** The last word of an answer that two legs gave has the whole of it. */
  #withPrefix(data: Buffer): Buffer {
    const takeOver = this.#takeOver;
    if (takeOver?.kind !== "handover") return data;
    const answer = JSON.parse(data.toString("utf8")) as Readonly<Record<string, unknown>>;
    const { output } = answer;
    if (Array.isArray(output)) return json({ ...answer, output: [takeOver.text, ...output] });
    return typeof output === "string" ? json({ ...answer, output: takeOver.text + output }) : data;
  }

  #turn(): void {
    const lease = this.#lease;
    const served =
      lease === undefined
        ? undefined
        : { instanceId: lease.instanceId, version: lease.version, start: lease.start };
    this.run.turnTo(this.candidate.entry, served);
  }

  /** From when the request goes out: how long an instance may take to start is a matter of its own. */
  #limitFirstOutput(): void {
    const { firstOutputMs: ms } = this.policy.deadlines;
    if (ms === undefined || this.hasOutput) return;
    clearTimeout(this.#firstOutputTimer);
    this.#firstOutputTimer = setTimeout(() => {
      this.#abort?.abort(new GatewayError("upstream_timeout", `Nothing came within ${ms} ms.`));
    }, ms);
  }

  /** True keeps the event out of the log. */
  #onLast(kind: EventKind, data: Buffer, outcome: Outcome): boolean {
    const { failure, metrics, output } = outcome;
    const { task } = this.candidate.entry;
    const isOwn = this.candidate.target.kind === "deployment";
    const made = isOwn && failure === undefined ? unitsMade(task, output) : undefined;
    this.metrics = { ...made, ...this.metrics, ...metrics };
    clearTimeout(this.#firstOutputTimer);
    if (failure === undefined) {
      const usage = this.#usage();
      this.leg.end({
        state: "succeeded",
        metrics: this.metrics,
        ...(usage !== undefined && { usage }),
        ...this.#servedBy(),
      });
      return false;
    }
    if (outcome.status === "canceled") {
      this.end("canceled", failure);
      return false;
    }
    this.held = { kind, data, failure };
    return true;
  }

  #usage(): Usage | undefined {
    const reported = reportedUsage(this.metrics);
    const { task } = this.candidate.entry;
    if (reported !== undefined || !isCountedInTokens(task)) return reported;
    const { log } = this.run;
    const events = this.#inMemory();
    const bytesInMemory = events.reduce((sum, { data }) => sum + data.length, 0);
    return estimatedUsage({
      metrics: this.metrics,
      input: this.input,
      wire: this.wire,
      events,
      // What has left memory is taken for text of the same kind.
      share: this.#from >= log.firstInMemory ? 1 : this.#bytes / Math.max(1, bytesInMemory),
    });
  }

  #inMemory(): readonly StreamEvent[] {
    // A leg that lost has nothing in the log.
    if (this.#contest !== undefined && this.#contest.winner !== this) return [];
    const { log } = this.run;
    const events = log.peek(Math.max(this.#from, log.firstInMemory)) ?? [];
    return events.filter(({ kind }) => kind === "output" || kind === "raw");
  }

  #servedBy(): Partial<Pick<Lease, "instanceId" | "version" | "start">> {
    if (this.#lease === undefined) return {};
    const { instanceId, version, start } = this.#lease;
    return { instanceId, version, start };
  }
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
