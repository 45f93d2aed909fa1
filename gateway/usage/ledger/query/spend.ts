import type { Block } from "../store/blocks.ts";
import { unitMeasures } from "../store/columns.ts";
import type { LedgerStore } from "../store/ledger-store.ts";
import { openDimension, type Dimension } from "./dimension.ts";
import { ExactSums } from "./exact-sums.ts";
import { Groups, noGroup } from "./groups.ts";
import type { SpendAnswer, SpendGroup, SpendQuestion, SpendSums } from "./question.ts";
import { selector } from "./select.ts";

/**
 * Adds up. First each leg finds its group and the groups are weighed by their cost alone; then everything else is added
 * up for the ones that are told, and for the total.
 */
export function answerSpend(store: LedgerStore, question: SpendQuestion): SpendAnswer {
  const dimensions = question.by.map((name) => openDimension(store, name));
  const groups = new Groups(dimensions);
  const select = selector(store, question);
  const met: { readonly block: Block; readonly groups: Int32Array }[] = [];
  for (const block of store.blocks.all()) {
    const selection = select(block);
    if (selection !== "none") met.push({ block, groups: groups.add(block, selection) });
  }
  const told = dimensions.length === 0 ? [] : chosen(groups, dimensions, question.limit);
  // Who is not told of counts for the total only.
  const places = new Int32Array(groups.count).fill(told.length);
  for (const [place, group] of told.entries()) places[group] = place;
  const sums = new Map(store.blocks.measures.map(({ name }) => [name, new ExactSums()]));
  let legs = 0;
  for (const { block, groups: ofLegs } of met) {
    legs += addBlock({ block, groups: ofLegs, places, sums, told: told.length });
  }
  return {
    by: question.by,
    rows: told.map((group, place): SpendGroup => ({
      values: dimensions.map((dimension, index) =>
        dimension.valueOf(groups.codes[index]?.[group] ?? 0),
      ),
      ...sumsAt(place, groups.legs[group] ?? 0, sums),
    })),
    total: sumsAt(told.length + 1, legs, sums),
    groups: dimensions.length === 0 ? 0 : groups.count,
    openLegs: store.openLegs,
  };
}

/** The dearest groups, the dearest first; of times the latest, in their order. */
function chosen(groups: Groups, dimensions: readonly Dimension[], limit: number): number[] {
  const { nanoUsd, legs, codes } = groups;
  const byCost = (one: number, other: number): number =>
    nanoUsd.compare(other, one) || (legs[other] ?? 0) - (legs[one] ?? 0) || one - other;
  const all = Array.from({ length: groups.count }, (_, group) => group);
  const time = dimensions.findIndex(({ isTime }) => isTime);
  if (time === -1) return dearest(all, byCost, limit);
  const ofTime = codes[time] ?? [];
  const when = (group: number): number => ofTime[group] ?? 0;
  return all
    .toSorted((one, other) => when(other) - when(one) || byCost(one, other))
    .slice(0, limit)
    .toSorted((one, other) => when(one) - when(other) || byCost(one, other));
}

/** Sorting a million groups for the sake of a hundred takes a second: what cannot be among them is left out before. */
function dearest(
  all: number[],
  byCost: (one: number, other: number) => number,
  limit: number,
): number[] {
  const sample = 8 * limit;
  if (all.length <= sample) return all.sort(byCost).slice(0, limit);
  let best: number[] = [];
  for (let from = 0; from < all.length; from += sample) {
    const last = best.length === limit ? best[limit - 1] : undefined;
    const next = all
      .slice(from, from + sample)
      .filter((group) => last === undefined || byCost(group, last) < 0);
    if (next.length > 0) best = [...best, ...next].sort(byCost).slice(0, limit);
  }
  return best;
}

interface BlockSums {
  readonly block: Block;
  readonly groups: Int32Array;
  readonly places: Int32Array;
  readonly sums: ReadonlyMap<string, ExactSums>;
  /** How many groups are told; the others' place comes after them, then the total's. */
  readonly told: number;
}

/** @returns how many legs were meant */
function addBlock({ block, groups, places, sums, told }: BlockSums): number {
  const rows = placeRows(groups, places);
  for (const [name, of] of sums) {
    const column = block.column(name);
    if (column === 0) continue;
    const values = typeof column === "number" ? constantColumn(column, groups.length) : column;
    const local = new Float64Array(told + 1);
    for (let index = 0; index < rows.length; index += 2) {
      const place = rows[index] ?? 0;
      local[place] = (local[place] ?? 0) + (values[rows[index + 1] ?? 0] ?? 0);
    }
    if (local.every((sum) => sum <= Number.MAX_SAFE_INTEGER)) {
      for (const [place, sum] of local.entries()) addTo(of, { place, told, value: sum });
    } else {
      // Sums of whole numbers are exact as long as they are safe integers; these are not, so each is added by itself.
      for (let index = 0; index < rows.length; index += 2) {
        addTo(of, { place: rows[index] ?? 0, told, value: values[rows[index + 1] ?? 0] ?? 0 });
      }
    }
  }
  return rows.length / 2;
}

/** Place, row, place, row, … of the legs that are meant. */
function placeRows(groups: Int32Array, places: Int32Array): Int32Array {
  const found = new Int32Array(groups.length * 2);
  let length = 0;
  for (let row = 0; row < groups.length; row += 1) {
    const group = groups[row] ?? noGroup;
    if (group === noGroup) continue;
    found[length] = places[group] ?? 0;
    found[length + 1] = row;
    length += 2;
  }
  return found.subarray(0, length);
}

function constantColumn(value: number, legs: number): Float64Array {
  return new Float64Array(legs).fill(value);
}

function addTo(
  sums: ExactSums,
  { place, told, value }: { readonly place: number; readonly told: number; readonly value: number },
): void {
  if (value === 0) return;
  if (place < told) sums.add(place, value);
  sums.add(told + 1, value);
}

const scales: ReadonlyMap<string, number> = new Map(
  unitMeasures.map(({ name, scale }) => [name, scale]),
);
const amounts: ReadonlySet<string> = new Set(["nanoUsd", "callersNanoUsd"]);

function sumsAt(place: number, legs: number, sums: ReadonlyMap<string, ExactSums>): SpendSums {
  const values: Record<string, number | string> = { legs };
  for (const [name, of] of sums) {
    const sum = of.sum(place);
    values[name] = amounts.has(name) ? String(sum) : Number(sum) / (scales.get(name) ?? 1);
  }
  return values as unknown as SpendSums;
}
