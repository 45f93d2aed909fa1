import { formatUsd } from "../money.ts";
import { selectionsOf } from "./budget.ts";
import { partitionAt, type Account } from "./budgets.ts";
import type { Counter } from "./counter.ts";
import { viewRule, type RuleView } from "./rule.ts";
import { spanAt } from "./window.ts";

/** How a budget, or one value of its partitions, stands; money in decimal US dollars. */
export interface BudgetState {
  readonly spentUsd: string;
  /** Held for calls in flight. */
  readonly reservedUsd: string;
  readonly inFlight: number;
  readonly remainingUsd: string;
  /** What calls in flight cost beyond the limit. */
  readonly overshootUsd: string;
  /** Calls that were refused since the gateway started. */
  readonly refused: number;
  /** Calls are refused now. */
  readonly isUsedUp: boolean;
  /** ISO 8601: of the window; a used up sliding budget says when it opens again. */
  readonly startsAt: string;
  readonly resetsAt: string;
}

export interface BudgetView extends RuleView {
  /** Over all values of its partitions, when it has them. */
  readonly state: BudgetState;
  /** False: what was spent before is still being added up. */
  readonly isRestored: boolean;
  /** Of a budget with partitions: the values that most was spent on. */
  readonly values?: readonly (BudgetState & {
    readonly values: Readonly<Record<string, string>>;
  })[];
}

/** Values that one answer shows. */
const valuesMax = 1_000;

export function viewBudget(
  account: Account,
  now: number,
  options: { readonly withValues?: boolean } = {},
): BudgetView {
  const { budget, counters, isRestored } = account;
  const partitioned = selectionsOf(budget.scope).flatMap(([dimension, { mode }]) =>
    mode === "partition" ? [dimension] : [],
  );
  const whole = stateOf(account, [...counters.values()], now);
  const { endMs } = spanAt(budget, now);
  // One value that is used up does not close the others.
  const open = { isUsedUp: false, resetsAt: new Date(endMs).toISOString() };
  const state = partitioned.length === 0 ? whole : { ...whole, ...open };
  const view = { ...viewRule(budget), isRestored, state };
  if (partitioned.length === 0 || options.withValues !== true) return view;
  const values = [...counters]
    .toSorted(([, a], [, b]) => b.spentAt(now) - a.spentAt(now))
    .slice(0, valuesMax)
    .map(([key, counter]) => ({
      values: Object.fromEntries(
        partitionAt(key).map((value, index) => [partitioned[index] ?? "", value]),
      ),
      ...stateOf(account, [counter], now),
    }));
  return { ...view, values };
}

function stateOf({ budget }: Account, counters: readonly Counter[], now: number): BudgetState {
  const { limitNanoUsd } = budget;
  const sum = (read: (counter: Counter) => number): number =>
    counters.reduce((total, counter) => total + read(counter), 0);
  const [one] = counters.length === 1 ? counters : [];
  const most = Math.max(0, ...counters.map((counter) => counter.spentAt(now)));
  const over = sum((counter) => Math.max(0, counter.spentAt(now) - limitNanoUsd));
  const { startMs, endMs } = spanAt(budget, now);
  const isUsedUp = one !== undefined && (one.isClosed || most >= limitNanoUsd);
  return {
    spentUsd: formatUsd(sum((counter) => counter.spentAt(now))),
    reservedUsd: formatUsd(sum(({ reserved }) => reserved)),
    inFlight: sum(({ inFlight }) => inFlight),
    remainingUsd: formatUsd(Math.max(0, limitNanoUsd - most)),
    overshootUsd: formatUsd(over),
    refused: sum(({ refused }) => refused),
    isUsedUp,
    startsAt: new Date(startMs).toISOString(),
    resetsAt: new Date(isUsedUp ? one.opensAt(now) : endMs).toISOString(),
  };
}
