import type { BudgetScope } from "./budget.ts";

/** What budgets ask the ledger: what was spent before they began to count. */
export interface SpendHistory {
  /**
   * Sums of the costs of the legs that began in a time and have ended, callers' own provider keys left out. It sees every
   * leg that had ended when it was asked, also one that is still on its way into the database.
   */
  sums(query: SpendQuery, options: { readonly signal: AbortSignal }): Promise<readonly SpendSum[]>;
}

export interface SpendQuery {
  /** Milliseconds since the epoch, of the leg's begin. */
  readonly fromMs: number;
  /** Not included. */
  readonly toMs: number;
  readonly scope: BudgetScope;
  /** One sum for each bucket of so many milliseconds (multiples of it since the epoch); absent: one for the whole time. */
  readonly bucketMs?: number;
}

export interface SpendSum {
  /** Of the scope's partitions, in the order of `selectionsOf`; empty when it has none. */
  readonly partition: readonly string[];
  /** The beginning of the bucket; `fromMs` without buckets. */
  readonly bucketAtMs: number;
  readonly nanoUsd: number;
}
