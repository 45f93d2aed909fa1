import type { GatewayError } from "../errors.ts";
import { pauseMs } from "./backoff.ts";
import type { Breakers } from "./breaker.ts";
import type { Candidate } from "./candidate.ts";
import { defaultPolicy, type RoutePolicy } from "./policy.ts";
import { isUpstreamsFault, verdictOn } from "./verdict.ts";

/** The next place to ask. */
export interface Stop {
  readonly candidate: Candidate;
  readonly policy: RoutePolicy;
  /** No upstream is left that has not been asked yet. */
  readonly isLast: boolean;
}

/** After a failure: `go` on with `next()` after a pause, or it is `over` with that failure. */
export type Step = { readonly kind: "go"; readonly delayMs: number } | { readonly kind: "over" };

export interface ItineraryOptions {
  readonly candidates: readonly Candidate[];
  readonly breakers: Breakers;
  readonly policyOf: (candidate: Candidate) => PolicyChoice;
  /** Between 0 and 1; default: by chance. */
  readonly random?: () => number;
}

export interface PolicyChoice {
  readonly policy: RoutePolicy;
  /** Somebody said how often to try; otherwise each upstream is asked once before any is asked again. */
  readonly isAttemptsGiven: boolean;
}

interface Seat extends PolicyChoice {
  readonly candidate: Candidate;
  tries: number;
  isOut: boolean;
  pauseMs: number;
}

/**
 * The order in which a call asks its upstreams. Where nobody says otherwise each is asked once, then those that may do
 * better are asked again, after a pause, up to the policy's number of tries each; where the number was given, an
 * upstream has all of its tries before the next one gets its turn. One whose breaker is open comes after the others.
 *
 * An own deployment is asked again by itself only while a prediction certainly has not begun (see `attempt.ts`).
 */
export class Itinerary {
  readonly #options: ItineraryOptions;
  readonly #seats: Seat[];
  #current: Seat | undefined;

  constructor(options: ItineraryOptions) {
    this.#options = options;
    this.#seats = options.candidates.map((candidate) => ({
      candidate,
      ...options.policyOf(candidate),
      tries: 0,
      isOut: false,
      pauseMs: 0,
    }));
  }

  /** Undefined when all have had their tries. */
  next(): Stop | undefined {
    const seat = this.#choose();
    if (seat === undefined) return undefined;
    seat.tries += 1;
    this.#current = seat;
    this.#options.breakers.begin(seat.candidate);
    const { candidate, policy } = seat;
    return { candidate, policy, isLast: !this.hasFresh };
  }

  /** Whether an upstream is left that has not been asked yet. */
  get hasFresh(): boolean {
    return this.#seats.some((seat) => seat.tries === 0 && !seat.isOut);
  }

  succeeded({ candidate }: Stop): void {
    this.#options.breakers.succeed(candidate);
  }

  /** The candidate was passed over without being asked, such as a model at zero. */
  passedOver(stop: Stop): void {
    this.#options.breakers.letGo(stop.candidate);
    const seat = this.#seatOf(stop);
    if (seat !== undefined) seat.isOut = true;
  }

  /** @param facts `hasBegun`: it did something that a second try at the same place would do twice */
  failed(stop: Stop, failure: GatewayError, facts: { readonly hasBegun: boolean }): Step {
    const { breakers, random = Math.random } = this.#options;
    if (isUpstreamsFault(failure)) breakers.fail(stop.candidate, failure.message);
    else if (failure.code === "canceled") breakers.letGo(stop.candidate);
    else breakers.succeed(stop.candidate);
    const verdict = verdictOn(failure);
    if (verdict === "final") return { kind: "over" };
    const seat = this.#seatOf(stop);
    if (seat !== undefined) {
      const retryAfterMs = failure.upstreamRetryAfterMs;
      const pause = pauseMs(seat.policy, { tries: seat.tries, retryAfterMs, random: random() });
      const isOut = verdict === "elsewhere" || facts.hasBegun || pause === undefined;
      seat.isOut = isOut || seat.tries >= attemptsOf(seat);
      seat.pauseMs = pause ?? 0;
    }
    const next = this.#choose();
    if (next === undefined) return { kind: "over" };
    return { kind: "go", delayMs: next.tries === 0 ? 0 : next.pauseMs };
  }

  /** All over again, for a prediction that was accepted and can wait. */
  again(): void {
    for (const seat of this.#seats) {
      seat.tries = 0;
      seat.isOut = false;
    }
  }

  #choose(): Seat | undefined {
    const current = this.#current;
    if (current !== undefined && current.isAttemptsGiven && current.tries > 0 && !current.isOut) {
      return current;
    }
    const left = this.#seats.filter((seat) => !seat.isOut);
    const fewest = Math.min(...left.map(({ tries }) => tries));
    const due = left.filter(({ tries }) => tries === fewest);
    return due.find(({ candidate }) => this.#options.breakers.allows(candidate)) ?? due[0];
  }

  #seatOf(stop: Stop): Seat | undefined {
    return this.#seats.find(({ candidate }) => candidate === stop.candidate);
  }
}

function attemptsOf({ policy, isAttemptsGiven, candidate }: Seat): number {
  return isAttemptsGiven || candidate.target.kind === "provider" ? policy.attempts : 1;
}

/** Merges what is said about a call's way, the later ones first in rank; deadlines one by one. */
export function mergePolicies(
  ...parts: readonly (Partial<RoutePolicy> | undefined)[]
): PolicyChoice {
  const given = parts.filter((part) => part !== undefined);
  if (given.length === 0) return unchanged;
  const deadlines = Object.assign({}, ...given.map((part) => part.deadlines ?? {})) as object;
  const merged = Object.assign({}, defaultPolicy, ...given, { deadlines }) as RoutePolicy;
  return { policy: merged, isAttemptsGiven: given.some(({ attempts }) => attempts !== undefined) };
}

const unchanged: PolicyChoice = { policy: defaultPolicy, isAttemptsGiven: false };
