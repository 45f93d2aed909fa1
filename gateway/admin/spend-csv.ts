import type { SpendAnswer, SpendSums } from "../usage/ledger/query/question.ts";
import { formatUsd } from "../usage/money.ts";

/** An answer about spend as comma-separated values (RFC 4180): one line for each row; the total when there is no split. */
export function spendCsv({ by, rows, total }: SpendAnswer): string {
  const { nanoUsd: _nano, ...rest } = total;
  const measures = Object.keys(rest) as (keyof SpendSums)[];
  const lines = [[...by, "usd", "nanoUsd", ...measures]];
  const add = (values: readonly (string | null)[], sums: SpendSums): void => {
    lines.push([
      ...values.map((value) => value ?? ""),
      formatUsd(BigInt(sums.nanoUsd)),
      sums.nanoUsd,
      ...measures.map((measure) => String(sums[measure])),
    ]);
  };
  if (by.length === 0) add([], total);
  for (const { values, ...sums } of rows) add(values, sums);
  return lines.map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
}

/** Metadata is the callers': what a spreadsheet would take for a formula stays text. */
function cell(value: string): string {
  const text = /^[=+\-@\t\r]/.test(value) && !/^-?\d+(\.\d+)?$/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
