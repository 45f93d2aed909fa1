/** One comparison of a benchmark: byom and its baseline, measured alternately in the same run. */
export interface Row {
  readonly work: string;
  readonly unit: "ms" | "1/s" | "MiB";
  readonly baseline: Measured;
  readonly byom: Measured;
  /** How many times better byom is: baseline / byom for times and bytes, byom / baseline for rates. */
  readonly ratio: number;
  readonly goal: string;
  readonly met: boolean;
  /** Medians of the phases inside byom's figure. */
  readonly phases?: Readonly<Record<string, string>>;
}

export interface Measured {
  readonly what: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

export interface Report {
  readonly name: string;
  readonly machine: string;
  readonly rows: readonly Row[];
}

export function measured(what: string, values: readonly number[]): Measured {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    what,
    median: median(sorted),
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
    runs: sorted.length,
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? upper) + upper) / 2 : upper;
}

export function renderReport(report: Report): string {
  const lines = [`${report.name} on ${report.machine}`, ""];
  for (const row of report.rows) {
    lines.push(
      row.work,
      `  baseline  ${renderMeasured(row.baseline, row.unit)}`,
      `  byom      ${renderMeasured(row.byom, row.unit)}`,
      `  ratio     ${row.ratio.toFixed(2)}×   goal: ${row.goal}   ${row.met ? "met" : "not met"}`,
    );
    if (row.phases !== undefined) {
      for (const [name, value] of Object.entries(row.phases))
        lines.push(`    ${name.padEnd(28)} ${value}`);
    }
    lines.push("");
  }
  return lines.join("\n");
}

function renderMeasured(
  { what, median: middle, min, max, runs }: Measured,
  unit: Row["unit"],
): string {
  const digits = Math.abs(middle) < 10 ? 3 : 0;
  const [shown, from, to] = [middle, min, max].map((value) => value.toFixed(digits));
  return `${shown?.padStart(7)} ${unit}  (${from}–${to}, ${runs} runs)  ${what}`;
}
