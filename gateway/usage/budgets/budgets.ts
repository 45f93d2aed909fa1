import { GatewayError } from "../../errors.ts";
import type { LegBegin } from "../../route/leg.ts";
import type { LegCost, LegFacts, SpendFacts } from "../accounts.ts";
import type { LegPrices } from "../meter.ts";
import { partitionOf, type Budget, type SpendFactsOfLeg } from "./budget.ts";
import { Counter } from "./counter.ts";
import { Estimates } from "./estimates.ts";
import { refusal } from "./refusal.ts";
import type { SpendSum } from "./spend-history.ts";

/** A budget with what was spent under it. */
export interface Account {
  readonly budget: Budget;
  /** By the values of its partitions; one without partitions has one counter, at `""`. */
  readonly counters: Map<string, Counter>;
  /** How often the ledger was asked: only its last answer counts. */
  questions: number;
  /** What was spent before has been added. */
  isRestored: boolean;
}

/** Told when a leg has been counted, for alerts. */
export type OnCount = (account: Account, partition: readonly string[], counter: Counter) => void;

export interface BudgetBookOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** What a leg that begins will be charged by. */
  readonly pricesOf: (begin: LegBegin) => LegPrices;
  readonly onCount: OnCount;
}

/** What one leg holds until it ends. */
interface Hold {
  readonly counters: readonly Counter[];
  readonly nanoUsd: number;
}

/** Values of one budget's partitions that are counted apart; beyond it those that nothing was spent on go. */
const countersMax = 100_000;

/**
 * The budgets in memory: whether a call may be sent, what is held for those under way, and what was spent. A call is
 * refused when what was spent and what is held reach the limit, so that a limit is passed by no more than what the legs
 * in flight cost beyond what was held for them.
 */
export class BudgetBook {
  readonly #options: BudgetBookOptions;
  readonly #estimates = new Estimates();
  readonly #accounts = new Map<string, Account>();
  readonly #holds = new Map<string, Hold>();
  /** Those of single keys, so that a budget for each key does not cost each call a look at all of them. */
  #ofKeys = new Map<string, Account[]>();
  #ofAll: Account[] = [];

  constructor(options: BudgetBookOptions) {
    this.#options = options;
  }

  get accounts(): readonly Account[] {
    return [...this.#accounts.values()];
  }

  get(id: string): Account | undefined {
    return this.#accounts.get(id);
  }

  /** Puts a budget in force at once; the ledger is to be asked for what was spent before. */
  put(budget: Budget): Account {
    const account = { budget, counters: new Map(), questions: 0, isRestored: false };
    this.#accounts.set(budget.id, account);
    this.#index();
    return account;
  }

  /** Whether there was one. */
  remove(id: string): boolean {
    const isKnown = this.#accounts.delete(id);
    this.#index();
    return isKnown;
  }

  /**
   * To be called in the step in which the ledger is asked: it counts the legs that have ended up to now, and those that
   * end from now on are counted here. The returned function takes its answer; false when the answer is out of date.
   */
  ask(account: Account): (sums: readonly SpendSum[]) => boolean {
    account.questions += 1;
    const question = account.questions;
    for (const counter of account.counters.values()) counter.passOn();
    return (sums) => {
      const isCurrent = this.#accounts.get(account.budget.id) === account;
      if (!isCurrent || account.questions !== question) return false;
      this.#restore(account, sums);
      return true;
    };
  }

  #restore(account: Account, sums: readonly SpendSum[]): void {
    const now = this.#options.clock();
    for (const counter of account.counters.values()) counter.clearPast();
    for (const { partition, bucketAtMs, nanoUsd } of sums) {
      this.#counterOf(account, partition).addPast(nanoUsd, bucketAtMs);
    }
    account.isRestored = true;
    for (const [key, counter] of account.counters) {
      counter.isClosed = false;
      if (counter.spentAt(now) > 0) this.#options.onCount(account, partitionAt(key), counter);
    }
  }

  /** Holds a value of a budget shut until it is restored: it was used up when the gateway stopped. */
  close(account: Account, partition: readonly string[]): void {
    this.#counterOf(account, partition).isClosed = true;
  }

  /**
   * Whether a call may begin, as far as that is known before a leg is chosen.
   * @throws GatewayError `budget_exceeded`
   */
  admit(facts: SpendFacts): void {
    if (this.#accounts.size === 0) return;
    for (const account of this.#candidates(facts.keyId)) {
      const { scope } = account.budget;
      // A route may lead to another model.
      if (scope.provider !== undefined) continue;
      if (scope.model !== undefined && facts.route !== undefined) continue;
      const partition = partitionOf(scope, facts);
      if (partition !== undefined) this.#check(account, partition);
    }
  }

  /** Why a leg may not begin; undefined when it may. */
  refusalOf(facts: LegFacts): GatewayError | undefined {
    if (this.#accounts.size === 0 || facts.isCallersKey) return undefined;
    try {
      for (const [account, partition] of this.#matching(facts)) this.#check(account, partition);
      return undefined;
    } catch (error) {
      return GatewayError.from(error);
    }
  }

  /**
   * A leg begins: what it may cost is held from now on, in the same step in which it is looked whether there is room.
   * @throws GatewayError `budget_exceeded`; nothing is held then
   */
  begin(leg: LegBegin): void {
    if (this.#accounts.size > 0 && !leg.isCallersKey) this.#hold(leg);
  }

  #hold(leg: LegBegin): void {
    const found = this.#matching(leg);
    if (found.length === 0) return;
    const counters = found.map(([account, partition]) => this.#check(account, partition));
    const nanoUsd = this.#estimates.of(leg, this.#options.pricesOf(leg));
    for (const counter of counters) {
      counter.reserved += nanoUsd;
      counter.inFlight += 1;
    }
    this.#holds.set(leg.id, { counters, nanoUsd });
  }

  /** A leg has ended, and the ledger has it: what was held is free again, and what it cost is spent. */
  end(leg: LegBegin, cost: LegCost): void {
    this.#release(leg.id);
    if (this.#accounts.size === 0 || leg.isCallersKey) return;
    this.#estimates.learn(leg, cost.nanoUsd);
    if (cost.nanoUsd === 0) return;
    for (const [account, partition] of this.#matching(leg)) {
      const counter = this.#counterOf(account, partition);
      counter.add(cost.nanoUsd, leg.beganAtMs);
      // Also before the ledger has answered: at least this much is spent.
      this.#options.onCount(account, partition, counter);
    }
  }

  #release(legId: string): void {
    const hold = this.#holds.get(legId);
    if (hold === undefined) return;
    this.#holds.delete(legId);
    for (const counter of hold.counters) {
      counter.reserved -= hold.nanoUsd;
      counter.inFlight -= 1;
    }
  }

  #candidates(keyId: string | undefined): readonly Account[] {
    const own = keyId === undefined ? undefined : this.#ofKeys.get(keyId);
    return own === undefined ? this.#ofAll : [...own, ...this.#ofAll];
  }

  #matching(leg: SpendFactsOfLeg): readonly (readonly [Account, readonly string[]])[] {
    return this.#candidates(leg.keyId).flatMap((account) => {
      const partition = partitionOf(account.budget.scope, leg);
      return partition === undefined ? [] : [[account, partition] as const];
    });
  }

  /** @throws GatewayError `budget_exceeded` */
  #check(account: Account, partition: readonly string[]): Counter {
    const { budget, counters } = account;
    if (counters.size >= countersMax) this.#makeRoom(account, partition);
    const counter = this.#counterOf(account, partition);
    const now = this.#options.clock();
    const spent = counter.spentAt(now);
    if (counter.isClosed || spent + counter.reserved >= budget.limitNanoUsd) {
      counter.refused += 1;
      throw refusal({ budget, partition, counter, spent, now });
    }
    return counter;
  }

  #counterOf({ budget, counters }: Account, partition: readonly string[]): Counter {
    const key = keyOf(partition);
    const known = counters.get(key);
    if (known !== undefined) return known;
    const counter = new Counter(budget);
    counters.set(key, counter);
    return counter;
  }

  /** @throws GatewayError `budget_exceeded` when a new value has no room among those that money was spent on */
  #makeRoom({ budget, counters }: Account, partition: readonly string[]): void {
    const now = this.#options.clock();
    if (counters.has(keyOf(partition))) return;
    for (const [key, counter] of counters) if (counter.isIdle(now)) counters.delete(key);
    if (counters.size < countersMax) return;
    throw new GatewayError(
      "budget_exceeded",
      `The budget ${budget.id} counts ${countersMax} values at once and takes no new one.`,
    );
  }

  #index(): void {
    this.#ofKeys = new Map();
    this.#ofAll = [];
    for (const account of this.#accounts.values()) {
      const { enabled, scope } = account.budget;
      if (!enabled) continue;
      if (scope.key?.mode !== "filter") this.#ofAll.push(account);
      else {
        for (const key of new Set(scope.key.values)) {
          this.#ofKeys.set(key, [...(this.#ofKeys.get(key) ?? []), account]);
        }
      }
    }
  }
}

/** Values of partitions as the key of a map; they may have any character. */
export function keyOf(partition: readonly string[]): string {
  return partition.length === 0 ? "" : JSON.stringify(partition);
}

export function partitionAt(key: string): readonly string[] {
  return key === "" ? [] : (JSON.parse(key) as readonly string[]);
}
