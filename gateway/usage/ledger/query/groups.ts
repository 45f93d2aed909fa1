import type { Block } from "../store/blocks.ts";
import type { Dimension } from "./dimension.ts";
import type { Selection } from "./select.ts";
import { ExactSums } from "./exact-sums.ts";

/** A leg that is not meant. */
export const noGroup = -1;
/** Groups of one dimension are found in a table up to this code; beyond it in a map. */
const tableCodesMax = 16_000_000;
const tableCodesMin = 1_024;

/** Gives each combination of values a number, in the order in which they are met. */
export class Groups {
  readonly #dimensions: readonly Dimension[];
  /** The codes of each group, one after the other. */
  readonly codes: number[][];
  readonly nanoUsd: ExactSums = new ExactSums();
  legs: Float64Array = new Float64Array(tableCodesMin);
  count = 0;
  #table = new Int32Array(tableCodesMin).fill(noGroup);
  readonly #map = new Map<number, number>();

  constructor(dimensions: readonly Dimension[]) {
    this.#dimensions = dimensions;
    this.codes = dimensions.map(() => []);
  }

  /** The group of each leg of a block, and its cost added to it. */
  add(block: Block, selection: Exclude<Selection, "none">): Int32Array {
    const groups = new Int32Array(block.legs);
    const columns = this.#dimensions.map((dimension) => dimension.codes(block));
    const nano = block.column("nanoUsd");
    const [first = 0, second] = columns;
    for (let row = 0; row < block.legs; row += 1) {
      if (selection !== "all" && selection[row] !== 1) {
        groups[row] = noGroup;
        continue;
      }
      const one = typeof first === "number" ? first : (first[row] ?? 0);
      const other = typeof second === "object" ? (second[row] ?? 0) : (second ?? 0);
      const group = second === undefined ? this.#single(one) : this.#pair(one, other);
      groups[row] = group;
      this.legs[group] = (this.legs[group] ?? 0) + 1;
      this.nanoUsd.add(group, typeof nano === "number" ? nano : (nano[row] ?? 0));
    }
    return groups;
  }

  #single(code: number): number {
    if (code > tableCodesMax) return this.#mapped(code, code, 0);
    if (code >= this.#table.length) this.#growTable(code);
    const known = this.#table[code] ?? noGroup;
    if (known !== noGroup) return known;
    const group = this.#create(code, 0);
    this.#table[code] = group;
    return group;
  }

  #pair(one: number, other: number): number {
    // Numbers of names stay far below 2²⁶ times 2²⁷: a sum of the two is exact.
    return this.#mapped(one * pairBase + other, one, other);
  }

  #mapped(key: number, one: number, other: number): number {
    const known = this.#map.get(key);
    if (known !== undefined) return known;
    const group = this.#create(one, other);
    this.#map.set(key, group);
    return group;
  }

  #create(one: number, other: number): number {
    const group = this.count;
    this.count += 1;
    this.codes[0]?.push(one);
    this.codes[1]?.push(other);
    if (group >= this.legs.length) {
      const larger = new Float64Array(this.legs.length * 2);
      larger.set(this.legs);
      this.legs = larger;
    }
    return group;
  }

  #growTable(code: number): void {
    let length = this.#table.length;
    while (length <= code) length *= 2;
    const larger = new Int32Array(length).fill(noGroup);
    larger.set(this.#table);
    this.#table = larger;
  }
}

const pairBase = 2 ** 26;
