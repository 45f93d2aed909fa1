import { sequenceColumn } from "../store/blocks.ts";
import type { LedgerStore } from "../store/ledger-store.ts";
import { viewLeg, type LegView } from "../store/stored-leg.ts";
import type { LegFilter, LegPage } from "./question.ts";
import { selector } from "./select.ts";

export interface LegsQuestion extends LegFilter {
  readonly limit: number;
  /** As `next` of the page before. */
  readonly before?: number;
}

/** One page of legs, the one that ended last first. */
export function answerLegs(store: LedgerStore, question: LegsQuestion): LegPage {
  const { limit, before = Number.POSITIVE_INFINITY } = question;
  const select = selector(store, question);
  const legs: LegView[] = [];
  let last = 0;
  for (const block of store.blocks.all().toReversed()) {
    if (block.first >= before) continue;
    const selection = select(block);
    if (selection === "none") continue;
    const column = block.column(sequenceColumn);
    for (let row = block.legs - 1; row >= 0; row -= 1) {
      const seq = typeof column === "number" ? column : (column[row] ?? 0);
      if (seq >= before || (selection !== "all" && selection[row] !== 1)) continue;
      if (legs.length === limit) return { legs, next: last };
      const leg = store.leg(seq);
      if (leg === undefined) continue;
      legs.push(viewLeg(leg, store));
      last = seq;
    }
  }
  return { legs };
}
