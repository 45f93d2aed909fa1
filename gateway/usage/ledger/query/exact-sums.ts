/** Sums of whole numbers, each below 2⁵³, that stay exact beyond it. */
export class ExactSums {
  #sums = new Float64Array(initial);
  readonly #carried = new Map<number, bigint>();

  add(index: number, value: number): void {
    if (index >= this.#sums.length) {
      const larger = new Float64Array(Math.max(index + 1, this.#sums.length * 2));
      larger.set(this.#sums);
      this.#sums = larger;
    }
    const sum = this.#sums[index] ?? 0;
    if (sum <= Number.MAX_SAFE_INTEGER - value) {
      this.#sums[index] = sum + value;
      return;
    }
    this.#carried.set(index, (this.#carried.get(index) ?? 0n) + BigInt(sum));
    this.#sums[index] = value;
  }

  sum(index: number): bigint {
    return (this.#carried.get(index) ?? 0n) + BigInt(this.#sums[index] ?? 0);
  }

  /** Which of two is larger, as for a sort; exact where it matters, and quick. */
  compare(one: number, other: number): number {
    if (this.#carried.size === 0) return (this.#sums[one] ?? 0) - (this.#sums[other] ?? 0);
    const difference = this.sum(one) - this.sum(other);
    return difference === 0n ? 0 : difference < 0n ? -1 : 1;
  }
}

const initial = 1_024;
