import type { Budget } from "./budget.ts";
import { bucketMsOf, bucketOf, spanAt } from "./window.ts";

/** What was spent under one budget, or one value of its partitions; nano-dollars. */
export class Counter {
  readonly #budget: Budget;
  /** What was counted since the ledger was asked, by the beginning of the bucket; a fixed window is one. */
  readonly #live = new Map<number, number>();
  /** What the ledger counts. */
  readonly #past = new Map<number, number>();
  /** Held for legs that run. */
  reserved = 0;
  inFlight = 0;
  /** Calls that were refused since the gateway started. */
  refused = 0;
  /** It was used up when the gateway stopped; holds until what was spent has been added up again. */
  isClosed = false;
  /** Thresholds that were said, so that the store is not asked with every leg. */
  readonly #said = new Set<number>();
  #saidInWindow = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** `atMs`: when the leg began, which says in which window it counts. */
  add(nanoUsd: number, atMs: number): void {
    this.#addTo(this.#live, nanoUsd, atMs);
  }

  /** The ledger's sum of a bucket, by its beginning. */
  addPast(nanoUsd: number, atMs: number): void {
    this.#addTo(this.#past, nanoUsd, atMs);
  }

  /** Whether this was asked before of a threshold in this window. */
  said(threshold: number, windowStartMs: number): boolean {
    if (windowStartMs !== this.#saidInWindow) this.#said.clear();
    this.#saidInWindow = windowStartMs;
    if (this.#said.has(threshold)) return true;
    this.#said.add(threshold);
    return false;
  }

  /** The ledger is asked: what was counted up to now will be in its answer. */
  passOn(): void {
    for (const [bucket, nanoUsd] of this.#live) this.#addTo(this.#past, nanoUsd, bucket);
    this.#live.clear();
  }

  clearPast(): void {
    this.#past.clear();
  }

  /** In the window at this time. */
  spentAt(atMs: number): number {
    const oldest = this.#oldestAt(atMs);
    let sum = 0;
    for (const buckets of [this.#live, this.#past]) {
      for (const [bucket, nanoUsd] of buckets) {
        // Another window's money is nobody's concern any more.
        if (bucket < oldest) buckets.delete(bucket);
        else sum += nanoUsd;
      }
    }
    return sum;
  }

  /** When less than the limit will be spent, should nothing more be. */
  opensAt(atMs: number): number {
    const width = bucketMsOf(this.#budget);
    const { startMs, endMs } = spanAt(this.#budget, atMs);
    if (width === undefined) return endMs;
    let left = this.spentAt(atMs);
    const buckets = [...this.#past, ...this.#live].toSorted(([a], [b]) => a - b);
    for (const [bucket, nanoUsd] of buckets) {
      left -= nanoUsd;
      if (left < this.#budget.limitNanoUsd) return bucket + width + (endMs - startMs);
    }
    return atMs;
  }

  /** Nothing is held, and nothing was spent in the window. */
  isIdle(atMs: number): boolean {
    return this.inFlight === 0 && this.spentAt(atMs) === 0;
  }

  #oldestAt(atMs: number): number {
    const width = bucketMsOf(this.#budget);
    const { startMs } = spanAt(this.#budget, atMs);
    return width === undefined ? startMs : startMs - width + 1;
  }

  #addTo(buckets: Map<number, number>, nanoUsd: number, atMs: number): void {
    const bucket = bucketOf(this.#budget, atMs);
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + nanoUsd);
  }
}
