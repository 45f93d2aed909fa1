import type { CatalogEntry } from "../catalog/entry.ts";
import type { GatewayError } from "../errors.ts";
import type { CallOrigin, CallPayload, Telemetry } from "../telemetry/call-record.ts";
import type { Accounts } from "../usage/accounts.ts";
import { providerOf, upstreamModelOf, type Candidate } from "./candidate.ts";
import type { CustomCost, Leg, LegBegin, LegEnd } from "./leg.ts";
import type { CallMeter } from "./limits/meter.ts";

/** What a call is, before any leg. */
export interface JourneyFacts {
  readonly id: string;
  readonly origin?: CallOrigin;
  /** As the caller named the model. */
  readonly requestedModel: string;
  readonly route?: string;
  readonly keyId?: string;
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
  readonly isStreamed: boolean;
  readonly isCallersKey: boolean;
  readonly customCost?: CustomCost;
  /** Counts the call against its limits; absent: none holds for it. */
  readonly meter?: CallMeter;
}

export interface JourneyServices {
  readonly accounts: Accounts;
  readonly telemetry: Telemetry;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** How a call ended, whatever its legs did. */
export interface JourneyEnd {
  readonly status: "succeeded" | "failed" | "canceled" | "aborted";
  readonly failure?: GatewayError;
  readonly isCached?: boolean;
  readonly payload?: () => CallPayload;
}

/** A call's way over its legs: what it tried, how each ended, and what it cost. Told to ledger and logs. */
export class Journey {
  readonly facts: JourneyFacts;
  readonly #services: JourneyServices;
  readonly #beganAtMs: number;
  readonly #startedAt = performance.now();
  readonly #legs: Leg[] = [];
  #begun = 0;
  #last: Candidate | undefined;
  #current: LegBegin | undefined;
  #isFinished = false;

  constructor(facts: JourneyFacts, services: JourneyServices) {
    this.facts = facts;
    this.#services = services;
    this.#beganAtMs = services.clock();
  }

  /** The legs that have ended, in the order in which they did. */
  get legs(): readonly Leg[] {
    return this.#legs;
  }

  /** The leg that began last, under way or not. */
  get current(): LegBegin | undefined {
    return this.#current;
  }

  /** What the legs that have ended cost together. */
  get nanoUsd(): number {
    return this.#legs.reduce((sum, { cost }) => sum + cost.nanoUsd, 0);
  }

  /** Why a candidate is not to be asked: its budget is used up. */
  refusalOf(candidate: Candidate): GatewayError | undefined {
    const { keyId, route, metadata, isCallersKey } = this.facts;
    return this.#services.accounts.refusalOf({
      model: candidate.entry.id,
      provider: providerOf(candidate),
      metadata,
      isCallersKey: isCallersKey && candidate.target.kind === "provider",
      ...(keyId !== undefined && { keyId }),
      ...(route !== undefined && { route }),
    });
  }

  /** A leg begins: it is on disk before its request goes out. */
  begin(candidate: Candidate): OpenLeg {
    const { entry } = candidate;
    const { facts } = this;
    this.#last = candidate;
    const index = this.#begun;
    this.#begun += 1;
    const leg: LegBegin = {
      id: `${facts.id}.${index}`,
      callId: facts.id,
      index,
      beganAtMs: this.#services.clock(),
      model: entry.id,
      version: candidate.version ?? entry.version,
      provider: providerOf(candidate),
      upstreamModel: upstreamModelOf(candidate),
      metadata: facts.metadata,
      isCallersKey: facts.isCallersKey && candidate.target.kind === "provider",
      ...(facts.keyId !== undefined && { keyId: facts.keyId }),
      ...(facts.route !== undefined && { route: facts.route }),
      ...(facts.customCost !== undefined && { customCost: facts.customCost }),
    };
    this.#services.accounts.begin(leg);
    this.#current = leg;
    facts.meter?.begin(candidate.node);
    return new OpenLeg(leg, candidate, (end) => this.#end(leg, end));
  }

  /** The call has ended; legs that still run (a hedge's loser) are told of when they end, to the ledger only. */
  finish(end: JourneyEnd, entry: CatalogEntry): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.facts.meter?.end();
    const { facts } = this;
    const answered = this.#legs.findLast(({ end: { state } }) => state === "succeeded");
    const { firstOutputMs } = answered?.end ?? {};
    const model = answered?.model ?? this.#last?.entry.id ?? entry.id;
    this.#services.telemetry.record({
      id: facts.id,
      beganAtMs: this.#beganAtMs,
      durationMs: performance.now() - this.#startedAt,
      requestedModel: facts.requestedModel,
      model,
      task: this.#last?.entry.task ?? entry.task,
      metadata: facts.metadata,
      isStreamed: facts.isStreamed,
      status: end.status,
      isCached: end.isCached ?? false,
      legs: this.#legs,
      nanoUsd: this.nanoUsd,
      ...(facts.origin !== undefined && { origin: facts.origin }),
      ...(facts.route !== undefined && { route: facts.route }),
      ...(facts.keyId !== undefined && { keyId: facts.keyId }),
      ...(firstOutputMs !== undefined && answered !== undefined
        ? { firstOutputMs: answered.beganAtMs - this.#beganAtMs + firstOutputMs }
        : {}),
      ...(end.failure !== undefined && { code: end.failure.code, error: end.failure.message }),
      ...(end.payload !== undefined && { payload: end.payload }),
    });
  }

  #end(leg: LegBegin, end: LegEnd): Leg {
    const cost = this.#services.accounts.end(leg, end);
    const ended: Leg = { ...leg, end, cost };
    this.#legs.push(ended);
    this.facts.meter?.count(ended);
    return ended;
  }
}

/** A leg under way. */
export class OpenLeg {
  readonly begin: LegBegin;
  readonly candidate: Candidate;
  readonly #onEnd: (end: LegEnd) => Leg;
  readonly #startedAt = performance.now();
  #firstOutputMs: number | undefined;
  #ended: Leg | undefined;

  constructor(begin: LegBegin, candidate: Candidate, onEnd: (end: LegEnd) => Leg) {
    this.begin = begin;
    this.candidate = candidate;
    this.#onEnd = onEnd;
  }

  /** To be called at output; the first call counts. */
  markOutput(): void {
    this.#firstOutputMs ??= performance.now() - this.#startedAt;
  }

  /** The first call counts. */
  end(end: Omit<LegEnd, "durationMs" | "firstOutputMs">): Leg {
    this.#ended ??= this.#onEnd({
      ...end,
      durationMs: performance.now() - this.#startedAt,
      ...(this.#firstOutputMs !== undefined && { firstOutputMs: this.#firstOutputMs }),
    });
    return this.#ended;
  }
}
