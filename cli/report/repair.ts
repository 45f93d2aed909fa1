import { createTwoFilesPatch } from "diff";
import type { Repair, RepairedFile } from "../../builder/index.ts";

/** Lines around a change that the diff shows. */
const contextLines = 2;

/** `cog.yaml:3 predict: deprecated; fix: rename it to run:`. */
export function renderRepair({ file, line, key, message, action }: Repair): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return `${place}${key === undefined ? "" : ` ${key}`}: ${message}; fix: ${action}`;
}

/** What changes in a file, as `git diff` and `patch` write it. */
export function renderDiff({ path, before, after }: RepairedFile): string {
  const from = before === undefined ? "/dev/null" : `a/${path}`;
  const patch = createTwoFilesPatch(from, `b/${path}`, before ?? "", after, undefined, undefined, {
    context: contextLines,
  });
  return patch.replace(/^=+\n/, "").trimEnd();
}
