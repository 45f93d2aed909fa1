import { setTimeout as delay } from "node:timers/promises";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import type { Dispatcher } from "undici";

import { GatewayError } from "../../errors.ts";
import type { OnGatewayEvent } from "../../events.ts";
import type { LegBegin } from "../../route/leg.ts";
import type { WebhookLimits } from "../../webhook/limits.ts";
import type { WebhookSecret } from "../../webhook/secret.ts";
import type { LegCost, LegFacts, SpendFacts } from "../accounts.ts";
import type { LegPrices } from "../meter.ts";
import { AlertSender } from "./alert-sender.ts";
import type { Budget } from "./budget.ts";
import { openBudgetStore, type BudgetStore, type ReachedThreshold } from "./budget-store.ts";
import { BudgetBook, type Account } from "./budgets.ts";
import type { Counter } from "./counter.ts";
import { budgetOf, type Rule } from "./rule.ts";
import type { SpendHistory } from "./spend-history.ts";
import { viewBudget, type BudgetView } from "./view.ts";
import { bucketMsOf, spanAt, windowMs } from "./window.ts";

/** The operator's limits on what calls may cost. */
export interface Budgets {
  list(): readonly BudgetView[];
  /** With the values of its partitions. @throws GatewayError `not_found` */
  show(id: string): BudgetView;
  /** Puts a budget in force at once, also in the place of one of the same name. */
  put(id: string, rule: Rule): BudgetView;
  /** @throws GatewayError `not_found` */
  remove(id: string): void;
  /** @throws GatewayError `budget_exceeded` */
  admit(facts: SpendFacts): void;
  refusalOf(facts: LegFacts): GatewayError | undefined;
  /** @throws GatewayError `budget_exceeded`; then the leg has not begun */
  begin(leg: LegBegin): void;
  /** To be called once the ledger has the leg. */
  end(leg: LegBegin, cost: LegCost): void;
  /** Asks the ledger again, for what it has learnt of legs from before this process. */
  refresh(): void;
  /** Once the ledger has said what was spent under the budgets that there are. */
  restored(options: { readonly signal: AbortSignal }): Promise<void>;
  close(): Promise<void>;
}

export interface BudgetsOptions {
  /** The gateway's; `budgets.db` is made there. */
  readonly dataDirectory: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly history: SpendHistory;
  readonly pricesOf: (leg: LegBegin) => LegPrices;
  readonly webhookSecret: WebhookSecret;
  /** For alerts; it is destroyed at the end. */
  readonly dispatcher: Dispatcher;
  readonly webhookLimits?: Partial<WebhookLimits>;
  readonly onEvent: OnGatewayEvent;
}

/** Budgets that may be made; each call looks at those that may count it. */
const budgetsMax = 10_000;
/** Until the ledger is asked again that did not answer. */
const historyRetryMs = 1_000;
/** The threshold at which a budget is used up. */
const usedUp = 100;

/** Opens the budgets with what was spent under them before; until that is known, those that were used up stay shut. */
export function openBudgets(options: BudgetsOptions): Budgets {
  return new OpenBudgets(options);
}

class OpenBudgets implements Budgets {
  readonly #options: BudgetsOptions;
  readonly #store: BudgetStore;
  readonly #sender: AlertSender;
  readonly #book: BudgetBook;
  readonly #stop = new AbortController();
  /** To the ledger, under way. */
  readonly #questions = new Set<Promise<void>>();

  constructor(options: BudgetsOptions) {
    const { clock, pricesOf, dataDirectory } = options;
    this.#options = options;
    mkdirSync(dataDirectory, { recursive: true });
    this.#store = openBudgetStore(join(dataDirectory, "budgets.db"), clock);
    this.#sender = new AlertSender({
      secret: options.webhookSecret,
      dispatcher: options.dispatcher,
      clock,
      ...(options.webhookLimits !== undefined && { limits: options.webhookLimits }),
      onEnd: (threshold, end) => {
        this.#store.settle(threshold);
        options.onEvent({ type: "budget-alert-end", budget: threshold.budgetId, ...end });
      },
    });
    this.#book = new BudgetBook({
      clock,
      pricesOf,
      onCount: (account, partition, counter) => this.#reach(account, partition, counter),
    });
    for (const budget of this.#store.budgets()) this.#takeUp(budget);
    for (const threshold of this.#store.owed()) this.#owe(threshold);
  }

  list(): readonly BudgetView[] {
    const now = this.#options.clock();
    return this.#book.accounts
      .map((account) => viewBudget(account, now))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  show(id: string): BudgetView {
    return viewBudget(this.#find(id), this.#options.clock(), { withValues: true });
  }

  put(id: string, rule: Rule): BudgetView {
    const { clock } = this.#options;
    const known = this.#book.get(id)?.budget;
    if (known === undefined && this.#book.accounts.length >= budgetsMax) {
      throw new GatewayError("invalid_request", `There are ${budgetsMax} budgets already.`);
    }
    const createdAt = known?.createdAt ?? new Date(clock()).toISOString();
    const budget = budgetOf(rule, { id, createdAt });
    this.#store.put(budget);
    const account = this.#book.put(budget);
    this.#ask(account);
    return viewBudget(account, clock());
  }

  remove(id: string): void {
    this.#find(id);
    this.#store.remove(id);
    this.#book.remove(id);
  }

  admit(facts: SpendFacts): void {
    this.#book.admit(facts);
  }

  refusalOf(facts: LegFacts): GatewayError | undefined {
    return this.#book.refusalOf(facts);
  }

  begin(leg: LegBegin): void {
    this.#book.begin(leg);
  }

  end(leg: LegBegin, cost: LegCost): void {
    this.#book.end(leg, cost);
  }

  refresh(): void {
    for (const account of this.#book.accounts) this.#ask(account);
  }

  async restored({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([Promise.all(this.#questions), aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#sender.close(), ...this.#questions]);
    this.#store.close();
  }

  #find(id: string): Account {
    const account = this.#book.get(id);
    if (account === undefined) throw new GatewayError("not_found", `There is no budget ${id}.`);
    return account;
  }

  /** A budget from before. */
  #takeUp(budget: Budget): void {
    const account = this.#book.put(budget);
    this.#ask(account);
    const windowStartMs = windowStart(budget, this.#options.clock());
    for (const { partition, limitNanoUsd } of this.#store.reachedSince(budget.id, {
      threshold: usedUp,
      windowStartMs,
    })) {
      if (limitNanoUsd === budget.limitNanoUsd) this.#book.close(account, partition);
    }
  }

  /** An alert that a former process could not deliver. */
  #owe(threshold: ReachedThreshold): void {
    const budget = this.#book.get(threshold.budgetId)?.budget;
    if (budget?.alerts.url === undefined) this.#store.settle(threshold);
    else this.#sender.send(budget, threshold);
  }

  #reach(account: Account, partition: readonly string[], counter: Counter): void {
    const { budget } = account;
    const now = this.#options.clock();
    for (const threshold of reached({ budget, partition, counter, now })) {
      const isTold = budget.alerts.thresholds.includes(threshold.threshold);
      const isOwed = isTold && budget.alerts.url !== undefined;
      if (!this.#store.reach(threshold, { isOwed }) || !isTold) continue;
      this.#options.onEvent({ type: "budget-threshold", ...threshold });
      if (isOwed) this.#sender.send(budget, threshold);
    }
  }

  #ask(account: Account): void {
    const work = this.#restore(account)
      // Stopped in a pause.
      .catch(() => undefined)
      .finally(() => this.#questions.delete(work));
    this.#questions.add(work);
  }

  async #restore(account: Account): Promise<void> {
    const { budget } = account;
    const { history, clock, onEvent } = this.#options;
    const { signal } = this.#stop;
    const bucketMs = bucketMsOf(budget);
    while (!signal.aborted) {
      try {
        const take = this.#book.ask(account);
        const query = {
          fromMs: spanAt(budget, clock()).startMs - (bucketMs ?? 0),
          scope: budget.scope,
          ...(bucketMs !== undefined && { bucketMs }),
        };
        take(await history.sums(query, { signal }));
        return;
      } catch (cause) {
        if (signal.aborted) return;
        onEvent({ type: "budget-restore-fail", budget: budget.id, cause });
        await delay(historyRetryMs, undefined, { signal });
      }
    }
  }
}

/** By which the thresholds of a window are told apart; a sliding window says each one once in its length. */
function windowStart(budget: Budget, now: number): number {
  if (budget.technique === "fixed") return spanAt(budget, now).startMs;
  const length = windowMs(budget);
  return Math.floor(now / length) * length;
}

const percent = 100;

function reached(options: {
  readonly budget: Budget;
  readonly partition: readonly string[];
  readonly counter: Counter;
  readonly now: number;
}): readonly ReachedThreshold[] {
  const { budget, partition, counter, now } = options;
  const spentNanoUsd = counter.spentAt(now);
  const { limitNanoUsd, alerts } = budget;
  const thresholds = [...new Set([...alerts.thresholds, usedUp])].filter(
    (threshold) => spentNanoUsd * percent >= limitNanoUsd * threshold,
  );
  return thresholds
    .filter((threshold) => !counter.said(threshold, windowStart(budget, now)))
    .map((threshold) => ({
      budgetId: budget.id,
      partition,
      windowStartMs: windowStart(budget, now),
      threshold,
      limitNanoUsd,
      spentNanoUsd,
      reachedAtMs: now,
    }));
}
