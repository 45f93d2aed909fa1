import { join } from "node:path";

import type { OnGatewayEvent } from "../events.ts";
import type { LegBegin, LegEnd } from "../route/leg.ts";
import type { Accounts, LegCost } from "./accounts.ts";
import { ledgerHistory } from "./budgets/ledger-history.ts";
import { openBudgets, type Budgets, type BudgetsOptions } from "./budgets/open-budgets.ts";
import { openLedger, type Ledger } from "./ledger/ledger.ts";
import { costOfLeg, type LegPrices } from "./meter.ts";

export interface AccountsOptions {
  /** The gateway's data directory. */
  readonly dataDirectory: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** What a leg is charged by: the prices that held when it began; default: none is known. */
  readonly pricesOf?: (leg: LegBegin) => LegPrices;
  readonly onEvent?: OnGatewayEvent;
  /** How the budgets' alerts are sent. */
  readonly alerts: Pick<BudgetsOptions, "dispatcher" | "webhookSecret" | "webhookLimits">;
}

/** The money of the calls, opened: what the administration asks it beside what the calls tell it. */
export interface OpenAccounts extends Accounts {
  readonly ledger: Ledger;
  readonly budgets: Budgets;
  /** As it is charged. */
  readonly costOf: (leg: LegBegin, end: LegEnd) => LegCost;
  close(): Promise<void>;
}

export function openAccounts(options: AccountsOptions): OpenAccounts {
  const { dataDirectory, clock, onEvent, pricesOf = () => ({}) } = options;
  const ledger = openLedger({
    directory: join(dataDirectory, "ledger"),
    clock,
    ...(onEvent !== undefined && { onEvent }),
  });
  const budgets = openBudgets({
    dataDirectory,
    clock,
    pricesOf,
    history: ledgerHistory(ledger),
    onEvent: onEvent ?? (() => undefined),
    ...options.alerts,
  });
  ledger.onSettled((leg, cost) => budgets.end(leg, cost));
  const costOf = (leg: LegBegin, end: LegEnd): LegCost => costOfLeg(leg, end, pricesOf(leg));
  return {
    ledger,
    costOf,
    budgets,
    admit: (facts) => budgets.admit(facts),
    refusalOf: (facts) => budgets.refusalOf(facts),
    begin(leg) {
      budgets.begin(leg);
      ledger.begin(leg);
    },
    end(leg, end) {
      const cost = costOf(leg, end);
      ledger.end(leg, end, cost);
      budgets.end(leg, cost);
      return cost;
    },
    async close() {
      await budgets.close();
      await ledger.close();
    },
  };
}
