import type { z } from "zod";
import type { Problem } from "../problem.ts";
import { exampleLines } from "./hints.ts";
import { dottedKey, isSourceMapping, lineOf, PlainScalar, valueAt } from "./source.ts";
import type { SourceDocument, SourcePath, SourceValue } from "./source.ts";
import { ownValue } from "../own-value.ts";

/** Longest value that a message repeats, in characters. */
const quotedLengthMax = 60;

/** What the schema refused, as `expected …, found …` with the line and the hint of the key. */
export function issueProblems(document: SourceDocument, error: z.ZodError): Problem[] {
  return error.issues.map((issue) => {
    const path = issue.path.filter((part) => typeof part !== "symbol");
    const found = nearestValue(document.value, path);
    return problemAt(document, found.path, {
      severity: "error",
      message: `expected ${expectation(issue)}, found ${describe(found.value)}`,
    });
  });
}

/** A problem at a key of the document: file, line and hint filled in. */
export function problemAt(
  document: SourceDocument,
  path: SourcePath,
  details: { severity: Problem["severity"]; message: string; hint?: string | undefined },
): Problem {
  const key = dottedKey(path);
  // What concerns the file as a whole stands at its beginning.
  const line = lineOf(document, path) ?? 1;
  const hint = details.hint ?? ownValue(exampleLines, key.replaceAll(/\[\d+\]/g, "[]"));
  return {
    severity: details.severity,
    file: document.file,
    line,
    ...(key === "" ? {} : { key }),
    message: details.message,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** `"yes"`, `3.10`, `a list`, `a mapping`, `nothing`. */
export function describe(value: SourceValue | undefined): string {
  if (value === null || value === undefined) return "nothing";
  if (value instanceof PlainScalar) return value.text;
  if (Array.isArray(value)) return "a list";
  if (isSourceMapping(value)) return "a mapping";
  return JSON.stringify(
    value.length > quotedLengthMax ? `${value.slice(0, quotedLengthMax)}…` : value,
  );
}

/** A run item that is plain text is checked as `{command}`: its own value stands one step up. */
function nearestValue(
  value: SourceValue,
  path: SourcePath,
): { readonly path: SourcePath; readonly value: SourceValue | undefined } {
  const parent = path.slice(0, -1);
  const found = valueAt(value, path);
  if (found === undefined && path.at(-1) === "command" && typeof parent.at(-1) === "number") {
    return { path: parent, value: valueAt(value, parent) };
  }
  return { path, value: found };
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") return typeNames[issue.expected] ?? issue.expected;
  if (issue.code === "invalid_value") return issue.values.map(String).join(" or ");
  if (issue.code === "too_small") {
    return issue.inclusive === false ? `more than ${issue.minimum}` : `${issue.minimum} or more`;
  }
  if (issue.code === "too_big") return `${issue.maximum} or less`;
  return issue.message;
}

const typeNames: Readonly<Record<string, string>> = {
  string: "text",
  boolean: "true or false",
  number: "a number",
  int: "a whole number",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};
