import { ConfigInvalidError } from "../errors.ts";
import type { Problem } from "../problem.ts";
import type { Config, LoadedConfig } from "./config.ts";

/** One line per problem: `cog.yaml:LINE key: message; try …`, warnings marked as such, in the order of the file. */
export function renderProblems(problems: readonly Problem[]): string[] {
  return sortProblems(problems).map((problem) => {
    const place = problem.line === undefined ? problem.file : `${problem.file}:${problem.line}`;
    const key = problem.key === undefined ? "" : ` ${problem.key}`;
    const mark = problem.severity === "warning" ? "warning: " : "";
    const hint = problem.hint === undefined ? "" : `; try: ${problem.hint}`;
    return `${place}${key}: ${mark}${problem.message}${hint}`;
  });
}

/** By file and line; a problem of the file as a whole comes first. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const files = [...new Set(problems.map((problem) => problem.file))];
  return problems.toSorted(
    (left, right) =>
      files.indexOf(left.file) - files.indexOf(right.file) || (left.line ?? 0) - (right.line ?? 0),
  );
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === "error");
}

/** The config, or a {@link ConfigInvalidError} with every problem. */
export function requireConfig(loaded: LoadedConfig): Config {
  if (loaded.config === undefined) throw new ConfigInvalidError(loaded.problems);
  return loaded.config;
}
