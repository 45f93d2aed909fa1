export interface Outcome {
  readonly row: string;
  readonly column: string;
  readonly word: string;
  /** With a second upstream beside the one that fails. */
  readonly isSecond: boolean;
}

/** Prints outcomes as one line a row, `alone / second` in each column. */
export function printTable(title: string, outcomes: readonly Outcome[]): void {
  const columns = [...new Set(outcomes.map(({ column }) => column))];
  const rows = [...new Set(outcomes.map(({ row }) => row))];
  const word = (row: string, column: string, isSecond: boolean): string | undefined =>
    outcomes.find((one) => one.row === row && one.column === column && one.isSecond === isSecond)
      ?.word;
  const lines = rows.map((row) =>
    [row, ...columns.map((column) => words(word(row, column, false), word(row, column, true)))].map(
      (cell, index) => cell.padEnd(widthOf(index, columns)),
    ),
  );
  const head = ["", ...columns].map((cell, index) => cell.padEnd(widthOf(index, columns)));
  process.stdout.write(
    `\n${title}\n${[head, ...lines].map((line) => line.join("  ").trimEnd()).join("\n")}\n`,
  );
}

const words = (alone: string | undefined, second: string | undefined): string =>
  [alone, second].filter((one) => one !== undefined).join(" / ");

/** Of the longest row's name, or of a column's. */
const rowWidth = 30;

function widthOf(index: number, columns: readonly string[]): number {
  return index === 0 ? rowWidth : Math.max(20, columns[index - 1]?.length ?? 0);
}
