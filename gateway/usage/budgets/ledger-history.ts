import type { Ledger } from "../ledger/ledger.ts";
import { selectionsOf } from "./budget.ts";
import type { SpendHistory } from "./spend-history.ts";

/** What was spent before, as the ledger has it. */
export function ledgerHistory(ledger: Pick<Ledger, "sums">): SpendHistory {
  return {
    async sums({ fromMs, scope, bucketMs }, { signal }) {
      const selections = selectionsOf(scope);
      const question = {
        fromMs,
        where: selections.flatMap(([dimension, selection]) =>
          selection.mode === "filter" ? [{ dimension, values: selection.values }] : [],
        ),
        by: selections.flatMap(([dimension, { mode }]) =>
          mode === "partition" ? [dimension] : [],
        ),
        ...(bucketMs !== undefined && { bucketMs }),
      };
      const sums = await ledger.sums(question, { signal });
      return sums.map(({ values, bucketAtMs, nanoUsd }) => ({
        partition: values,
        bucketAtMs: bucketMs === undefined ? fromMs : bucketAtMs,
        nanoUsd: Number(nanoUsd),
      }));
    },
  };
}
