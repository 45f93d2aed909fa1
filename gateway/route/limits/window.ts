import type { Technique } from "./rule.ts";

/**
 * A sliding window is counted in so many slices, the oldest one whole: never more than the limit in any window of its
 * length, and what was used is free again at most a sixteenth of the window late.
 */
const slidingSlices = 16;

/** When an amount was counted, so that it can be given back. */
export type Mark = number;

/** What was used in the last window. */
export class Window {
  readonly #sliceMs: number;
  readonly #indexes: Float64Array;
  readonly #amounts: Float64Array;

  constructor(windowMs: number, technique: Technique) {
    const isSliding = technique === "sliding";
    this.#sliceMs = isSliding ? windowMs / slidingSlices : windowMs;
    // The slice that has just begun, and before it those of a whole window.
    const kept = isSliding ? slidingSlices + 1 : 1;
    this.#indexes = new Float64Array(kept).fill(-1);
    this.#amounts = new Float64Array(kept);
  }

  used(nowMs: number): number {
    return this.#usedFrom(this.#sliceAt(nowMs) - this.#indexes.length + 1);
  }

  add(nowMs: number, amount: number): Mark {
    const slice = this.#sliceAt(nowMs);
    const at = this.#place(slice);
    if (this.#indexes[at] !== slice) {
      this.#indexes[at] = slice;
      this.#amounts[at] = 0;
    }
    this.#amounts[at] = (this.#amounts[at] ?? 0) + amount;
    return slice;
  }

  /** Takes back what was counted; nothing when its window has passed. */
  giveBack(mark: Mark, amount: number): void {
    const at = this.#place(mark);
    if (this.#indexes[at] !== mark) return;
    this.#amounts[at] = Math.max(0, (this.#amounts[at] ?? 0) - amount);
  }

  /** Milliseconds until less than `limit` is used, if nothing is added; 0: it is now. */
  opensInMs(nowMs: number, limit: number): number {
    const current = this.#sliceAt(nowMs);
    const kept = this.#indexes.length;
    for (let ahead = 0; ahead <= kept; ahead += 1) {
      if (this.#usedFrom(current + ahead - kept + 1) >= limit) continue;
      return ahead === 0 ? 0 : Math.ceil((current + ahead) * this.#sliceMs - nowMs);
    }
    return Math.ceil((current + kept) * this.#sliceMs - nowMs);
  }

  /** Milliseconds until nothing is used any more, if nothing is added. */
  emptyInMs(nowMs: number): number {
    let last = -1;
    for (const [at, slice] of this.#indexes.entries()) {
      if ((this.#amounts[at] ?? 0) > 0) last = Math.max(last, slice);
    }
    const freeAt = (last + this.#indexes.length) * this.#sliceMs;
    return last === -1 ? 0 : Math.max(0, Math.ceil(freeAt - nowMs));
  }

  #usedFrom(first: number): number {
    let sum = 0;
    for (const [at, slice] of this.#indexes.entries()) {
      if (slice >= first) sum += this.#amounts[at] ?? 0;
    }
    return sum;
  }

  #sliceAt(nowMs: number): number {
    return Math.floor(nowMs / this.#sliceMs);
  }

  #place(slice: number): number {
    return slice % this.#indexes.length;
  }
}
