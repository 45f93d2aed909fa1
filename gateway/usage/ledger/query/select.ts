import { timeColumn, type Block } from "../store/blocks.ts";
import type { LedgerStore } from "../store/ledger-store.ts";
import { openDimension, type Dimension } from "./dimension.ts";
import type { LegFilter } from "./question.ts";

/** Which legs of a block are meant: none, all, or those that have a 1. */
export type Selection = "none" | "all" | Uint8Array;

/** Makes what tells of each block which of its legs a filter means. */
export function selector(store: LedgerStore, filter: LegFilter): (block: Block) => Selection {
  const { fromMs = 0, toMs = Number.POSITIVE_INFINITY } = filter;
  const conditions = filter.where.map(({ dimension: name, values }) => {
    const dimension = openDimension(store, name);
    const codes = values
      .map((value) => dimension.codeOf(value))
      .filter((code) => code !== undefined);
    return { dimension, codes: new Set(codes) };
  });
  const isImpossible = conditions.some(({ codes }) => codes.size === 0);
  return (block) => {
    if (isImpossible || block.beganTo < fromMs || block.beganFrom >= toMs) return "none";
    let selection: Selection = "all";
    for (const { dimension, codes } of conditions) {
      selection = keep(selection, block, dimension, codes);
      if (selection === "none") return "none";
    }
    if (block.beganFrom >= fromMs && block.beganTo < toMs) return selection;
    const at = block.column(timeColumn);
    if (typeof at === "number") return selection;
    const mask = selection === "all" ? new Uint8Array(block.legs).fill(1) : selection;
    for (let row = 0; row < at.length; row += 1) {
      const began = at[row] ?? 0;
      if (began < fromMs || began >= toMs) mask[row] = 0;
    }
    return mask;
  };
}

function keep(
  selection: Selection,
  block: Block,
  dimension: Dimension,
  codes: ReadonlySet<number>,
): Selection {
  const column = dimension.codes(block);
  if (typeof column === "number") return codes.has(column) ? selection : "none";
  const mask = selection instanceof Uint8Array ? selection : new Uint8Array(block.legs).fill(1);
  const [only = 0] = codes;
  const isOne = codes.size === 1;
  let kept = 0;
  for (let row = 0; row < column.length; row += 1) {
    const code = column[row] ?? 0;
    if (mask[row] === 1 && (isOne ? code === only : codes.has(code))) kept += 1;
    else mask[row] = 0;
  }
  return kept === 0 ? "none" : mask;
}
