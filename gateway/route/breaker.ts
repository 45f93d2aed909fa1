import { providerOf, upstreamModelOf, type Candidate } from "./candidate.ts";

/** `half-open`: one call is on its way to see whether the upstream answers again. */
export type BreakerState = "closed" | "open" | "half-open";

/** How one upstream has answered lately. */
export interface BreakerView {
  /** `byom` or the provider, and the model as it names it. */
  readonly provider: string;
  readonly upstreamModel: string;
  readonly state: BreakerState;
  readonly consecutiveFailures: number;
  /** Of the last calls, at most `breakerWindow`. */
  readonly calls: number;
  readonly failures: number;
  /** Milliseconds since the epoch: from then on one call tries it again; only while it is open. */
  readonly opensUntilMs?: number;
  /** What went wrong last. */
  readonly lastError?: string;
}

export interface BreakersOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** A state changed. */
  readonly onChange?: (view: BreakerView) => void;
}

/** Failures in a row after which an upstream is left alone: one bad minute, not one bad call. */
export const consecutiveFailuresMax = 5;
/** Calls whose share of failures counts. */
export const breakerWindow = 20;
/** With fewer calls a share says nothing. */
const windowMin = 10;
const failureShareMax = 0.5;
/** How long it is left alone at first; it doubles with each probe that fails. */
export const openMs = 10_000;
const openMsMax = 120_000;
/** Upstreams that are remembered; beyond it the one that was asked longest ago is forgotten. */
const upstreamsMax = 2_000;

interface Breaker {
  readonly provider: string;
  readonly upstreamModel: string;
  /** 1 for a failure, oldest first. */
  recent: number[];
  consecutive: number;
  isOpen: boolean;
  openUntilMs: number;
  /** Of the present opening. */
  openForMs: number;
  isProbing: boolean;
  lastError: string | undefined;
}

/**
 * Which upstreams to leave alone for a while. An upstream opens after failures in a row, or when half of its last calls
 * failed; then one call after another is let through to see whether it answers again.
 */
export class Breakers {
  readonly #options: BreakersOptions;
  readonly #breakers = new Map<string, Breaker>();

  constructor(options: BreakersOptions) {
    this.#options = options;
  }

  /** Whether a call may go there now, where another upstream could take it instead. */
  allows(candidate: Candidate): boolean {
    const breaker = this.#breakers.get(keyOf(candidate));
    if (breaker === undefined || !breaker.isOpen) return true;
    return !breaker.isProbing && this.#options.clock() >= breaker.openUntilMs;
  }

  /** A call goes there; of an open one it is the probe. */
  begin(candidate: Candidate): void {
    const breaker = this.#breakers.get(keyOf(candidate));
    if (breaker === undefined || !breaker.isOpen || breaker.isProbing) return;
    if (this.#options.clock() < breaker.openUntilMs) return;
    breaker.isProbing = true;
    this.#tell(breaker);
  }

  succeed(candidate: Candidate): void {
    const breaker = this.#breakers.get(keyOf(candidate));
    // One that never failed is not worth remembering.
    if (breaker === undefined) return;
    breaker.consecutive = 0;
    breaker.recent.push(0);
    if (breaker.recent.length > breakerWindow) breaker.recent.shift();
    if (!breaker.isOpen) return;
    breaker.isOpen = false;
    breaker.isProbing = false;
    breaker.openForMs = 0;
    breaker.recent = [];
    this.#tell(breaker);
  }

  fail(candidate: Candidate, error: string): void {
    const breaker = this.#of(candidate);
    breaker.consecutive += 1;
    breaker.lastError = error;
    breaker.recent.push(1);
    if (breaker.recent.length > breakerWindow) breaker.recent.shift();
    const isProbeOver = breaker.isProbing;
    if (breaker.isOpen ? !isProbeOver : !isTooMuch(breaker)) return;
    breaker.isOpen = true;
    breaker.isProbing = false;
    breaker.openForMs = Math.min(
      openMsMax,
      breaker.openForMs === 0 ? openMs : breaker.openForMs * 2,
    );
    breaker.openUntilMs = this.#options.clock() + breaker.openForMs;
    this.#tell(breaker);
  }

  /** The call ended without telling anything about the upstream, such as by its caller's leaving. */
  letGo(candidate: Candidate): void {
    const breaker = this.#breakers.get(keyOf(candidate));
    if (breaker === undefined || !breaker.isProbing) return;
    breaker.isProbing = false;
    this.#tell(breaker);
  }

  /** All upstreams that have failed lately. */
  list(): readonly BreakerView[] {
    return [...this.#breakers.values()].map(viewOf);
  }

  #of(candidate: Candidate): Breaker {
    const key = keyOf(candidate);
    const known = this.#breakers.get(key);
    if (known !== undefined) {
      // The order of the map is that of their last failures.
      this.#breakers.delete(key);
      this.#breakers.set(key, known);
      return known;
    }
    const breaker: Breaker = {
      provider: providerOf(candidate),
      upstreamModel: upstreamModelOf(candidate),
      recent: [],
      consecutive: 0,
      isOpen: false,
      openUntilMs: 0,
      openForMs: 0,
      isProbing: false,
      lastError: undefined,
    };
    this.#breakers.set(key, breaker);
    for (const oldest of this.#breakers.keys()) {
      if (this.#breakers.size <= upstreamsMax) break;
      this.#breakers.delete(oldest);
    }
    return breaker;
  }

  #tell(breaker: Breaker): void {
    this.#options.onChange?.(viewOf(breaker));
  }
}

function isTooMuch({ consecutive, recent }: Breaker): boolean {
  if (consecutive >= consecutiveFailuresMax) return true;
  return recent.length >= windowMin && failuresIn(recent) / recent.length >= failureShareMax;
}

function failuresIn(recent: readonly number[]): number {
  return recent.reduce((sum, one) => sum + one, 0);
}

function viewOf(breaker: Breaker): BreakerView {
  const { provider, upstreamModel, recent, consecutive, isOpen, isProbing, lastError } = breaker;
  return {
    provider,
    upstreamModel,
    state: isProbing ? "half-open" : isOpen ? "open" : "closed",
    consecutiveFailures: consecutive,
    calls: recent.length,
    failures: failuresIn(recent),
    ...(isOpen && { opensUntilMs: breaker.openUntilMs }),
    ...(lastError !== undefined && { lastError }),
  };
}

function keyOf(candidate: Candidate): string {
  return `${providerOf(candidate)} ${upstreamModelOf(candidate)}`;
}
