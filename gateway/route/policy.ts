import type { Deadlines } from "../limits.ts";

export const backoffs = ["constant", "linear", "exponential"] as const;
export type Backoff = (typeof backoffs)[number];

/** What happens when an upstream's text breaks off after its first piece has gone to a caller who reads along. */
export const streamRecoveries = ["fail", "restart", "continue"] as const;
export type StreamRecovery = (typeof streamRecoveries)[number];

/** How long a prediction runs on without a listener. */
export type DetachPolicy =
  | { readonly kind: "always" }
  | { readonly kind: "never" }
  | { readonly kind: "grace"; readonly ms: number };

/** Which answers stand for later calls of the same kind; what a caller says comes first. */
export interface CachePolicy {
  /** Seconds, from 60 to a month; 0: none. */
  readonly ttlS: number;
  /** Keys with different lists of models, or provider keys of their own, get each other's answers. */
  readonly isShared?: boolean;
}

/** How a call is carried over its upstreams. */
export interface RoutePolicy {
  /**
   * Tries of one upstream before the next one gets its turn; 1: none is repeated. Where it is left out, each upstream is
   * asked once, then those that may do better again, up to three tries each.
   */
  readonly attempts: number;
  /** Pause before the second try; an upstream's `Retry-After` comes first. */
  readonly retryDelayMs: number;
  readonly backoff: Backoff;
  /** A longer pause (or `Retry-After`) is not waited for: the next upstream's turn, or the failure. */
  readonly retryDelayMaxMs: number;
  /** Of one leg; what is left out is the gateway's own. */
  readonly deadlines: Partial<
    Pick<Deadlines, "connectMs" | "firstByteMs" | "idleMs" | "silenceMs" | "totalMs">
  > & {
    /** From the request to the first piece of output; absent: no limit of its own. */
    readonly firstOutputMs?: number;
    /** For an own model to start; beyond it 503 with Retry-After, or the next upstream's turn. */
    readonly startMs?: number;
  };
  readonly onStreamCut: StreamRecovery;
  /** `failover`: where another upstream is left, a model at zero is not waited for (it is woken nevertheless). */
  readonly onColdStart: "wait" | "failover";
  /** Without output after this time the next upstream is asked beside it, and the first to answer wins; absent: not. */
  readonly hedgeMs?: number;
  /** Absent: the gateway's default grace. */
  readonly detach?: DetachPolicy;
  /** Absent: only what a caller asks for. */
  readonly cache?: CachePolicy;
}

/** Where nobody says how often, each upstream is asked once before any is asked again (see `itinerary.ts`). */
export const defaultPolicy: RoutePolicy = {
  attempts: 3,
  retryDelayMs: 200,
  backoff: "exponential",
  retryDelayMaxMs: 5_000,
  deadlines: {},
  onStreamCut: "fail",
  onColdStart: "wait",
};

/** The gateway's deadlines with what a policy says over them. */
export function deadlinesOf(deadlines: Deadlines, policy: RoutePolicy): Deadlines {
  return policy === defaultPolicy ? deadlines : { ...deadlines, ...policy.deadlines };
}
