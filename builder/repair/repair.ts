import type { Problem } from "../problem.ts";

/** Replaces the characters from `start` to `end` (UTF-16 offsets). */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What is wrong, and the edits that mend it. */
export interface Repair extends Pick<Problem, "severity" | "file" | "line" | "key" | "message"> {
  /** What the repair does: `rename it to run:`. */
  readonly action: string;
  /** By path relative to the repo. */
  readonly edits: ReadonlyMap<string, readonly Edit[]>;
  /** Files that the repair writes anew. */
  readonly created?: ReadonlyMap<string, string>;
}

/** The text with non-overlapping edits, in any order, done. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let result = text;
  for (const { start, end, text: replacement } of edits.toSorted((a, b) => b.start - a.start)) {
    result = result.slice(0, start) + replacement + result.slice(end);
  }
  return result;
}
