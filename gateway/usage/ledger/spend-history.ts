import { selectionsOf } from "../budgets/budget.ts";
import type { SpendHistory } from "../budgets/spend-history.ts";
import type { Ledger } from "./ledger.ts";

/** The ledger as budgets ask it: what was spent before they began to count. */
export function createSpendHistory(ledger: Pick<Ledger, "sums">): SpendHistory {
  return {
    async sums({ fromMs, scope, bucketMs }, { signal }) {
      const selections = selectionsOf(scope);
      // A leg that lacks what is selected is not counted; by a dimension that is filtered it cannot be lacking.
      const by = selections.map(([dimension]) => dimension);
      const where = selections.flatMap(([dimension, selection]) =>
        selection.mode === "filter" ? [{ dimension, values: selection.values }] : [],
      );
      const rows = await ledger.sums(
        { fromMs, where, by, ...(bucketMs !== undefined && { bucketMs }) },
        { signal },
      );
      return mergeFiltered(
        rows.map(({ values, bucketAtMs, nanoUsd }) => ({
          partition: values.filter((_, index) => selections[index]?.[1].mode === "partition"),
          bucketAtMs: bucketMs === undefined ? fromMs : bucketAtMs,
          nanoUsd: Number(nanoUsd),
        })),
      );
    },
  };
}

type Sums = Awaited<ReturnType<SpendHistory["sums"]>>;

/** The values of a filter count together. */
function mergeFiltered(rows: Sums): Sums {
  const merged = new Map<string, Sums[number]>();
  for (const row of rows) {
    const key = JSON.stringify([row.partition, row.bucketAtMs]);
    const known = merged.get(key);
    merged.set(key, known === undefined ? row : { ...row, nanoUsd: known.nanoUsd + row.nanoUsd });
  }
  return [...merged.values()];
}
