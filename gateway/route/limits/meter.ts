import type { GatewayErrorCode } from "../../errors.ts";
import type { Leg } from "../leg.ts";
import type { Counter, Taken } from "./counter.ts";

/** Counts what one call uses against the limits that hold for it. */
export interface CallMeter {
  /** A try begins; `node` is the step of the route that gave it. */
  begin(node: string | undefined): void;
  /** A try has ended. */
  count(leg: Leg): void;
  /** The call has ended; the first time counts. */
  end(): void;
}

/** A counter with what the call took of it. */
export interface Charge {
  readonly counter: Counter;
  readonly taken: Taken;
}

/** Failures before anything was sent to a model: the caller's allowance is not spent on them. */
const neverReached: ReadonlySet<GatewayErrorCode> = new Set<GatewayErrorCode>([
  "start_failed",
  "start_timeout",
  "capacity",
  "shutting_down",
  "provider_not_configured",
  "model_not_found",
  "budget_exceeded",
]);

/** Whether a try got as far as its model. */
export function hasReached({ end }: Leg): boolean {
  if (end.state !== "failed" && end.state !== "canceled") return true;
  if (end.firstOutputMs !== undefined || end.status !== undefined || end.usage !== undefined) {
    return true;
  }
  if (end.state === "canceled") return false;
  // Connection refused, no such name: the way to the model failed, and no answer of its came back.
  if (end.code === undefined || end.code === "upstream_failed") return false;
  return !neverReached.has(end.code);
}

export function createMeter(options: {
  readonly charges: readonly Charge[];
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Takes what a step of the route further down asks for, when its turn comes. */
  readonly chargeFor?: (node: string) => readonly Charge[];
}): CallMeter {
  const { clock, chargeFor } = options;
  const charges = [...options.charges];
  const begun = new Set<string>();
  let isReached = false;
  let isEnded = false;
  return {
    begin(node) {
      if (node === undefined || chargeFor === undefined || isEnded || begun.has(node)) return;
      begun.add(node);
      charges.push(...chargeFor(node));
    },
    count(leg) {
      isReached ||= hasReached(leg);
      const { usage } = leg.end;
      const used = {
        tokens: usage === undefined ? 0 : usage.inputTokens + usage.outputTokens,
        nanoUsd: leg.cost.nanoUsd,
      };
      if (used.tokens === 0 && used.nanoUsd === 0) return;
      for (const { counter } of charges) counter.use(clock(), used);
    },
    end() {
      if (isEnded) return;
      isEnded = true;
      for (const { counter, taken } of charges) counter.end(taken, { hasReached: isReached });
    },
  };
}
