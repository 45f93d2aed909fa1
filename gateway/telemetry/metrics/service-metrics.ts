import type { Services } from "../../http/call.ts";
import type { Sample } from "./registry.ts";

const breakerStates = { closed: 0, "half-open": 1, open: 2 } as const;

/** What other parts of the gateway know of themselves: breakers and budgets. */
export function collectServiceMetrics(
  services: Pick<Services, "telemetry" | "breakers" | "accounts">,
): void {
  const { registry } = services.telemetry;
  registry.collect({
    name: "byom_breaker_state",
    help: "0 closed, 1 half-open, 2 open: the upstream is left alone",
    type: "gauge",
    read: () =>
      services.breakers.list().map(({ provider, upstreamModel, state }) => ({
        labels: { provider, model: upstreamModel },
        value: breakerStates[state],
      })),
  });
  const budgets = (name: string, help: string, valueOf: (state: BudgetState) => number): void => {
    registry.collect({
      name,
      help,
      type: "gauge",
      read: (): readonly Sample[] =>
        services.accounts.budgets
          .list()
          .map((budget) => ({ labels: { budget: budget.id }, value: valueOf(budget.state) })),
    });
  };
  budgets("byom_budget_spent_usd", "Spent in the window, US dollars", ({ spentUsd }) =>
    Number(spentUsd),
  );
  budgets("byom_budget_remaining_usd", "Left in the window, US dollars", ({ remainingUsd }) =>
    Number(remainingUsd),
  );
  budgets("byom_budget_used_up", "1: calls are refused", ({ isUsedUp }) => Number(isUsedUp));
}

type BudgetState = ReturnType<Services["accounts"]["budgets"]["list"]>[number]["state"];
