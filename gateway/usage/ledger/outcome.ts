import type { LegEnd, LegState } from "../../route/leg.ts";
import type { LegCost } from "../accounts.ts";
import { reportedUsage } from "../usage.ts";
import { errorCharactersMax, metricNameCharactersMax, metricsMax } from "./limits.ts";

/** `settled`: it was interrupted, and its upstream's list has said since what it cost. */
export type LedgerState = LegState | "settled";

/** How a leg ended and what it cost, as the ledger keeps it: the cost stays what it was when prices change. */
export interface Outcome {
  readonly state: LedgerState;
  readonly durationMs: number;
  readonly firstOutputMs?: number;
  /** The version that served, where a deployment chose it. */
  readonly version?: number;
  readonly tokens?: Tokens;
  readonly nanoUsd: number;
  readonly lines?: readonly CostLineTuple[];
  readonly isEstimated?: true;
  readonly isUnpriced?: true;
  /** Whatever else the upstream counted. */
  readonly metrics?: Readonly<Record<string, number>>;
  readonly code?: string;
  readonly error?: string;
  readonly status?: number;
  readonly start?: string;
  readonly startMs?: number;
  readonly instanceId?: string;
}

export type Tokens = readonly [input: number, output: number, cached: number, reasoning: number];
export type CostLineTuple = readonly [unit: string, quantity: number, nanoUsd: number];

const tokenMetrics: ReadonlySet<string> = new Set([
  "input_tokens",
  "output_tokens",
  "cached_tokens",
  "reasoning_tokens",
]);

export function outcomeOf(end: LegEnd, cost: LegCost): Outcome {
  const { start } = end;
  const tokens = tokensOf(end);
  // One amount that is none would make every sum one that is none.
  const isAmount = Number.isSafeInteger(cost.nanoUsd) && cost.nanoUsd >= 0;
  const metrics = numbersOf(end.metrics);
  return {
    state: end.state,
    durationMs: countOf(end.durationMs),
    ...(end.firstOutputMs !== undefined && { firstOutputMs: countOf(end.firstOutputMs) }),
    ...(end.version !== undefined && { version: end.version }),
    ...(tokens !== undefined && { tokens }),
    nanoUsd: isAmount ? cost.nanoUsd : 0,
    ...(cost.lines.length > 0 && {
      lines: cost.lines
        .filter(({ quantity }) => Number.isFinite(quantity))
        .map(({ unit, quantity, nanoUsd }) => [unit, quantity, nanoUsd] as const),
    }),
    ...((cost.isEstimated || end.usage?.isEstimated === true) && { isEstimated: true as const }),
    ...((!cost.isPriced || !isAmount) && { isUnpriced: true as const }),
    ...(metrics !== undefined && { metrics }),
    ...(end.code !== undefined && { code: end.code }),
    ...(end.error !== undefined && { error: end.error.slice(0, errorCharactersMax) }),
    ...(end.status !== undefined && { status: end.status }),
    ...(start !== undefined && { start: start.mode, startMs: countOf(start.totalMs) }),
    ...(end.instanceId !== undefined && { instanceId: end.instanceId }),
  };
}

/** What an interrupted leg is until its upstream says what it cost. */
export const interrupted: Outcome = {
  state: "interrupted",
  durationMs: 0,
  nanoUsd: 0,
  isUnpriced: true,
};

function tokensOf({ usage: known, metrics }: LegEnd): Tokens | undefined {
  const usage = known ?? reportedUsage(metrics);
  const input = usage?.inputTokens ?? countOf(metrics["input_tokens"]);
  const output = usage?.outputTokens ?? countOf(metrics["output_tokens"]);
  const cached = usage?.cachedTokens ?? countOf(metrics["cached_tokens"]);
  const reasoning = usage?.reasoningTokens ?? countOf(metrics["reasoning_tokens"]);
  if (input === 0 && output === 0) return undefined;
  return [countOf(input), countOf(output), countOf(cached), countOf(reasoning)];
}

function countOf(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) return 0;
  return Math.min(Math.round(value), Number.MAX_SAFE_INTEGER);
}

/** Bounded: metrics are what an upstream says. */
function numbersOf(
  metrics: Readonly<Record<string, unknown>>,
): Readonly<Record<string, number>> | undefined {
  let found: Record<string, number> | undefined;
  let count = 0;
  for (const name in metrics) {
    const value = metrics[name];
    if (typeof value !== "number" || !Number.isFinite(value) || tokenMetrics.has(name)) continue;
    if (name.length > metricNameCharactersMax) continue;
    (found ??= {})[name] = value;
    count += 1;
    if (count === metricsMax) break;
  }
  return found;
}
