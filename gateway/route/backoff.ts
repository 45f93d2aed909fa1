import type { RoutePolicy } from "./policy.ts";

/** Share of a pause that is left to chance, so that callers whom one outage hit do not come back as one. */
const jitterShare = 0.5;

/**
 * Milliseconds to wait before try `tries + 1` of an upstream. `Retry-After` of the upstream comes first; undefined when
 * it asks for more patience than the policy has.
 * @param random between 0 and 1
 */
export function pauseMs(
  policy: Pick<RoutePolicy, "retryDelayMs" | "retryDelayMaxMs" | "backoff">,
  facts: {
    readonly tries: number;
    readonly retryAfterMs?: number | undefined;
    readonly random: number;
  },
): number | undefined {
  const { retryDelayMs, retryDelayMaxMs, backoff } = policy;
  const { tries, retryAfterMs, random } = facts;
  if (retryAfterMs !== undefined) return retryAfterMs > retryDelayMaxMs ? undefined : retryAfterMs;
  const factor = backoff === "constant" ? 1 : backoff === "linear" ? tries : 2 ** (tries - 1);
  const wantedMs = Math.min(retryDelayMs * factor, retryDelayMaxMs);
  return Math.round(wantedMs * (1 - jitterShare * random));
}
