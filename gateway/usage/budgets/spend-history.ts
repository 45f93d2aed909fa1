import type { BudgetScope } from "./budget.ts";

/** What budgets ask the ledger: what was spent before they began to count. */
export interface SpendHistory {
  /**
   * Sums of the costs of the legs that have ended before this call, exactly these, callers' own provider keys left out:
   * who counts from now on misses none and counts none twice.
   */
  sums(query: SpendQuery, options: { readonly signal: AbortSignal }): Promise<readonly SpendSum[]>;
}

export interface SpendQuery {
  /** Of the leg's begin, milliseconds since the epoch. */
  readonly fromMs: number;
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
