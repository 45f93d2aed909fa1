import type { GatewayError } from "../errors.ts";
import type { Candidate } from "../route/candidate.ts";
import type { OpenLeg } from "../route/journey.ts";
import type { RoutePolicy } from "../route/policy.ts";
import type { EventKind, StreamEvent } from "../stream/event.ts";
import type { WireRequest } from "../upstream/provider/wire-request.ts";
import type { Lease } from "../upstream/upstream.ts";
import { reportedUsage, type Usage } from "../usage/usage.ts";
import { estimatedUsage, isCountedInTokens } from "./estimate.ts";
import type { Outcome, Run } from "./run.ts";

/** A last event that tells of a failure, held back while another upstream may do better. */
interface HeldEvent {
  readonly kind: EventKind;
  readonly data: Buffer;
  readonly failure: GatewayError;
}

export interface LegRunParts {
  readonly run: Run;
  readonly leg: OpenLeg;
  readonly policy: RoutePolicy;
  /** What the model gets; set once it is known. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly wire: WireRequest | undefined;
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
  /** Position of its first event in the run's log. */
  readonly from: number;
  /** What the upstream has reported so far, for a leg that breaks off. */
  metrics: Readonly<Record<string, unknown>> = {};
  held: HeldEvent | undefined;
  #lease: Lease | undefined;
  #events = 0;
  #outputs = 0;
  #bytes = 0;

  constructor(parts: LegRunParts) {
    this.run = parts.run;
    this.leg = parts.leg;
    this.policy = parts.policy;
    this.input = parts.input;
    this.wire = parts.wire;
    this.from = parts.run.log.length;
  }

  get candidate(): Candidate {
    return this.leg.candidate;
  }

  /** Aborts when the leg is to stop at once; the reason is a `GatewayError`. */
  get signal(): AbortSignal {
    return this.run.signal;
  }

  /** Whether anything of it is in the log: output, or a line about a job that was begun. */
  get hasBegun(): boolean {
    return this.#events > 0;
  }

  get hasOutput(): boolean {
    return this.#outputs > 0;
  }

  /** An instance has been found for it. */
  serve(lease: Lease): void {
    this.#lease = lease;
    this.run.turnTo(this.candidate.entry, {
      instanceId: lease.instanceId,
      version: lease.version,
      start: lease.start,
    });
  }

  markSent(cancelUpstream: () => void): void {
    this.run.markSent(cancelUpstream);
  }

  /** @throws `GatewayError` as `Run.take` */
  take(kind: EventKind, data: Buffer): void {
    this.#events += 1;
    if (kind === "output" || kind === "raw") {
      if (this.#outputs === 0) this.leg.markOutput();
      this.#outputs += 1;
      this.#bytes += data.length;
    }
    this.run.take(kind, data, (outcome) => this.#onLast(kind, data, outcome));
  }

  /** Ends the leg of a call that goes on elsewhere, or not at all. */
  end(state: "failed" | "canceled" | "abandoned", failure: GatewayError): void {
    const { code, message, upstreamStatus } = failure;
    const usage =
      this.hasOutput || this.metrics["input_tokens"] !== undefined ? this.#usage() : undefined;
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

  /** True keeps the event out of the log. */
  #onLast(kind: EventKind, data: Buffer, outcome: Outcome): boolean {
    const { failure, metrics } = outcome;
    this.metrics = { ...this.metrics, ...metrics };
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
      share: this.from >= log.firstInMemory ? 1 : this.#bytes / Math.max(1, bytesInMemory),
    });
  }

  #inMemory(): readonly StreamEvent[] {
    const { log } = this.run;
    const events = log.peek(Math.max(this.from, log.firstInMemory)) ?? [];
    return events.filter(({ kind }) => kind === "output" || kind === "raw");
  }

  #servedBy(): Partial<Pick<Lease, "instanceId" | "version" | "start">> {
    if (this.#lease === undefined) return {};
    const { instanceId, version, start } = this.#lease;
    return { instanceId, version, start };
  }
}
