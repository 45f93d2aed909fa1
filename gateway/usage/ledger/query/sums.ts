import { timeColumn, type Block } from "../store/blocks.ts";
import type { Column, Constant } from "../store/columns.ts";
import type { LedgerStore } from "../store/ledger-store.ts";
import { openDimension, type Dimension } from "./dimension.ts";
import type { LegFilter } from "./question.ts";
import { selector } from "./select.ts";

/** What budgets ask: sums by any number of dimensions, in buckets of time. */
export interface SumsQuestion extends LegFilter {
  /** A leg that lacks one of these is left out. */
  readonly by: readonly string[];
  /** Multiples of so many milliseconds since the epoch; absent: one bucket. */
  readonly bucketMs?: number;
}

export interface LegSum {
  /** In the order of the dimensions. */
  readonly values: readonly string[];
  /** Where the bucket begins, milliseconds since the epoch; 0 without buckets. */
  readonly bucketAtMs: number;
  /** What the platform paid. */
  readonly nanoUsd: bigint;
}

interface Sum {
  readonly codes: readonly number[];
  readonly bucketAtMs: number;
  nanoUsd: bigint;
}

export function answerSums(store: LedgerStore, question: SumsQuestion): readonly LegSum[] {
  const dimensions = question.by.map((name) => openDimension(store, name));
  const select = selector(store, question);
  const sums = new Map<string, Sum>();
  for (const block of store.blocks.all()) {
    const selection = select(block);
    if (selection === "none") continue;
    addBlock(sums, { block, dimensions, bucketMs: question.bucketMs, selection });
  }
  return [...sums.values()].map(({ codes, bucketAtMs, nanoUsd }) => ({
    values: codes.map((code, index) => dimensions[index]?.valueOf(code) ?? ""),
    bucketAtMs,
    nanoUsd,
  }));
}

function addBlock(
  sums: Map<string, Sum>,
  options: {
    readonly block: Block;
    readonly dimensions: readonly Dimension[];
    readonly bucketMs: number | undefined;
    readonly selection: "all" | Uint8Array;
  },
): void {
  const { block, dimensions, bucketMs, selection } = options;
  const columns = dimensions.map((dimension) => dimension.codes(block));
  const nano = block.column("nanoUsd");
  const at = bucketMs === undefined ? 0 : block.column(timeColumn);
  for (let row = 0; row < block.legs; row += 1) {
    const nanoUsd = valueAt(nano, row);
    if (nanoUsd === 0 || (selection !== "all" && selection[row] !== 1)) continue;
    const codes = columns.map((column) => valueAt(column, row));
    if (codes.includes(0)) continue;
    const bucketAtMs =
      bucketMs === undefined ? 0 : Math.floor(valueAt(at, row) / bucketMs) * bucketMs;
    const key = `${codes.join(" ")} ${bucketAtMs}`;
    const sum = sums.get(key);
    if (sum === undefined) sums.set(key, { codes, bucketAtMs, nanoUsd: BigInt(nanoUsd) });
    else sum.nanoUsd += BigInt(nanoUsd);
  }
}

function valueAt(column: Column | Constant, row: number): number {
  return typeof column === "number" ? column : (column[row] ?? 0);
}
