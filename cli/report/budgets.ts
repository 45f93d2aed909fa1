import { formatTable } from "../output.ts";

/** A budget of `GET /api/v1/budgets`, as far as the commands print it. */
export interface BudgetLine {
  readonly id: string;
  readonly limit: string;
  readonly window: string | number;
  readonly technique: string;
  readonly enabled: boolean;
  readonly key?: Selection;
  readonly model?: Selection;
  readonly provider?: Selection;
  readonly route?: Selection;
  readonly metadata?: Readonly<Record<string, Selection>>;
  readonly alerts: { readonly thresholds: readonly number[]; readonly url?: string };
  readonly isRestored: boolean;
  readonly state: BudgetState;
  readonly values?: readonly (BudgetState & {
    readonly values: Readonly<Record<string, string>>;
  })[];
}

interface Selection {
  readonly mode: string;
  readonly values?: readonly string[];
}

interface BudgetState {
  readonly spentUsd: string;
  readonly reservedUsd: string;
  readonly inFlight: number;
  readonly remainingUsd: string;
  readonly overshootUsd: string;
  readonly refused: number;
  readonly isUsedUp: boolean;
  readonly resetsAt: string;
}

export interface BudgetsReport {
  readonly budgets: readonly BudgetLine[];
}

/** `byom budgets list`. */
export function renderBudgets({ budgets }: BudgetsReport): string {
  if (budgets.length === 0) return "no budgets; make one: byom budgets set NAME LIMIT_USD";
  return formatTable(
    budgets.map((budget) => [
      budget.id,
      `$${budget.state.spentUsd} of $${budget.limit}`,
      windowOf(budget),
      scopeOf(budget),
      standing(budget),
    ]),
  );
}

/** `byom budgets show`. */
export function renderBudget(budget: BudgetLine): string {
  const { state, alerts, values = [] } = budget;
  const rows: readonly (readonly [string, string])[] = [
    ["budget", budget.id],
    ["limit", `$${budget.limit} ${windowOf(budget)}`],
    ["for", scopeOf(budget)],
    ["state", standing(budget)],
    ["spent", `$${state.spentUsd}${budget.isRestored ? "" : " (still being added up)"}`],
    ["held", `$${state.reservedUsd} for ${state.inFlight} calls in flight`],
    ["left", `$${state.remainingUsd}`],
    ["beyond the limit", `$${state.overshootUsd}`],
    ["refused", `${state.refused} since the start`],
    [
      "alerts",
      `at ${alerts.thresholds.join(", ")} %${alerts.url === undefined ? "" : ` to ${alerts.url}`}`,
    ],
  ];
  const shares = values.map((one) => [
    Object.values(one.values).join(", "),
    `$${one.spentUsd}`,
    one.isUsedUp ? `used up until ${minute(one.resetsAt)}` : "",
  ]);
  return [formatTable(rows), ...(shares.length === 0 ? [] : [formatTable(shares)])].join("\n\n");
}

function standing({ enabled, state }: BudgetLine): string {
  if (!enabled) return "off";
  return state.isUsedUp
    ? `used up until ${minute(state.resetsAt)}`
    : `open, $${state.remainingUsd} left`;
}

function windowOf({ window, technique }: BudgetLine): string {
  const length = typeof window === "number" ? `${window} s` : window;
  return technique === "sliding" ? `in any ${length}` : `each ${length}`;
}

function scopeOf(budget: BudgetLine): string {
  const { key, model, provider, route, metadata = {} } = budget;
  const named = Object.entries({ key, model, provider, route, ...metadata });
  const parts = named.flatMap(([name, selection]) => {
    if (selection === undefined) return [];
    return selection.mode === "partition"
      ? [`each ${name}`]
      : [`${name} ${(selection.values ?? []).join(" or ")}`];
  });
  return parts.length === 0 ? "all calls" : parts.join(", ");
}

function minute(timestamp: string): string {
  return `${timestamp.slice(0, 16).replace("T", " ")} UTC`;
}
