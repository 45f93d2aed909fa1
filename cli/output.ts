import { styleText } from "node:util";

/** Where a command's words go: the answer to stdout, everything else to stderr. */
export interface Output {
  readonly isJson: boolean;
  /** The command's result: text for people, or the value as the one JSON document of `--json`. */
  answer(text: string, value: unknown): void;
  /** Raw bytes of the answer as they come (streamed text); not used with `--json`. */
  write(text: string): void;
  /** Progress and remarks. */
  note(text: string): void;
  /** A remark that should not be overlooked. */
  warn(text: string): void;
  style(format: Style, text: string): string;
}

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

export interface OutputStreams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** stderr is a terminal and NO_COLOR is not set. */
  readonly isColoured: boolean;
}

export function createOutput(streams: OutputStreams, isJson: boolean): Output {
  const style = (format: Style, text: string): string =>
    streams.isColoured ? styleText(format, text, { validateStream: false }) : text;
  return {
    isJson,
    style,
    answer: (text, value) => {
      if (isJson) streams.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
      else if (text !== "") streams.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    },
    write: (text) => {
      if (!isJson) streams.stdout.write(text);
    },
    note: (text) => {
      streams.stderr.write(`${text}\n`);
    },
    warn: (text) => {
      streams.stderr.write(`${style("yellow", "warning:")} ${text}\n`);
    },
  };
}

/** `1.4 s`, `230 ms`: what a person reads. */
export function formatDuration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** Binary units, one decimal: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`;
}

/** Columns padded to their widest cell; the last one is left ragged. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
