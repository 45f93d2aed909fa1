import { GatewayError } from "../../errors.ts";
import { formatUsd } from "../money.ts";
import { selectionsOf, type Budget } from "./budget.ts";
import type { Counter } from "./counter.ts";

/** Calls in flight end soon; when they do, there may be room again. */
const heldRetryMs = 1_000;

/** Why a call is not sent: the budget, its limit, what was spent, by how much it was passed, and when it opens again. */
export function refusal(options: {
  readonly budget: Budget;
  readonly partition: readonly string[];
  readonly counter: Counter;
  readonly spent: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}): GatewayError {
  const { budget, partition, counter, spent, now } = options;
  const name = `${budget.id}${describePartition(budget, partition)}`;
  const limit = `${formatUsd(budget.limitNanoUsd)} USD ${describeWindow(budget)}`;
  if (!counter.isClosed && spent < budget.limitNanoUsd) {
    const held = `${formatUsd(spent)} USD is spent and ${formatUsd(counter.reserved)} USD held for ${counter.inFlight} calls in flight`;
    return new GatewayError(
      "budget_exceeded",
      `The budget ${name} of ${limit} has no room now: ${held}.`,
      { retryAfterMs: heldRetryMs },
    );
  }
  const over = Math.max(0, spent - budget.limitNanoUsd);
  const beyond =
    over === 0 ? "" : `, ${formatUsd(over)} USD of it beyond the limit by calls in flight`;
  const opensAt = new Date(counter.opensAt(now)).toISOString();
  return new GatewayError(
    "budget_exceeded",
    `The budget ${name} of ${limit} is used up: ${formatUsd(spent)} USD is spent${beyond}. It opens again at ${opensAt}.`,
  );
}

/** ` (team red)`, or nothing. */
export function describePartition(budget: Budget, partition: readonly string[]): string {
  if (partition.length === 0) return "";
  const names = selectionsOf(budget.scope)
    .filter(([, { mode }]) => mode === "partition")
    .map(([dimension]) => dimension.replace(/^metadata\./, ""));
  return ` (${partition.map((value, index) => `${names[index]} ${value}`).join(", ")})`;
}

/** `a day`, `in any 3600 seconds`. */
export function describeWindow({ window, technique }: Budget): string {
  const length = typeof window === "number" ? `${window} seconds` : window;
  if (technique === "sliding") return `in any ${length}`;
  return typeof window === "number"
    ? `every ${length}`
    : `${window === "hour" ? "an" : "a"} ${length}`;
}
