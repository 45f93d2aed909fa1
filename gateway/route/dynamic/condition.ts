import { isObject } from "../../http/body.ts";
import { fieldOf, fieldProblem, type CallFacts } from "./facts.ts";
import { under, type Problem } from "./problem.ts";

/**
 * A question about a call in the way of MongoDB's queries, as Cloudflare's routes ask it:
 * `{"metadata.plan": {"$in": ["free", "trial"]}, "input.tokens": {"$gt": 8000}}`. All fields must agree.
 */
export type Condition = Readonly<Record<string, unknown>>;

/** Deeper nesting is a machine's product and not a person's. */
const depthMax = 8;
/** A list of users belongs into metadata, not into a condition. */
const listMax = 200;
const patternCharactersMax = 200;
/** A pattern looks at this much of a value: what it may take stays bounded. */
const patternSubjectCharactersMax = 1_000;

const lists: ReadonlySet<string> = new Set(["$and", "$or", "$nor"]);
const operators: ReadonlySet<string> = new Set([
  "$eq",
  "$ne",
  "$gt",
  "$gte",
  "$lt",
  "$lte",
  "$in",
  "$nin",
  "$exists",
  "$regex",
  "$not",
]);

/** Everything that is wrong with a condition. */
export function conditionProblems(value: unknown, path: string, depth = 0): readonly Problem[] {
  if (!isObject(value)) return [{ path, message: "must be an object of fields and operators" }];
  if (depth > depthMax) return [{ path, message: `is nested deeper than ${depthMax}` }];
  return Object.entries(value).flatMap(([name, wanted]): readonly Problem[] => {
    const here = under(path, name);
    if (lists.has(name)) return listProblems(wanted, here, depth);
    if (name === "$not") return conditionProblems(wanted, here, depth + 1);
    if (name.startsWith("$")) return [{ path: here, message: "is no operator that stands here" }];
    const unknown = fieldProblem(name);
    if (unknown !== undefined) return [{ path: here, message: unknown }];
    return isObject(wanted) ? operatorProblems(wanted, here, depth) : valueProblems(wanted, here);
  });
}

function listProblems(value: unknown, path: string, depth: number): readonly Problem[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > listMax) {
    return [{ path, message: `must be a list of 1 to ${listMax} conditions` }];
  }
  return (value as readonly unknown[]).flatMap((part, index) =>
    conditionProblems(part, under(path, index), depth + 1),
  );
}

function operatorProblems(
  wanted: Readonly<Record<string, unknown>>,
  path: string,
  depth: number,
): readonly Problem[] {
  if (Object.keys(wanted).length === 0) return [{ path, message: "asks nothing" }];
  return Object.entries(wanted).flatMap(([operator, operand]): readonly Problem[] => {
    const here = under(path, operator);
    if (!operators.has(operator)) {
      return [{ path: here, message: `is no operator; there are ${[...operators].join(", ")}` }];
    }
    if (operator === "$in" || operator === "$nin") return operandsProblems(operand, here);
    if (operator === "$exists") {
      return typeof operand === "boolean" ? [] : [{ path: here, message: "must be true or false" }];
    }
    if (operator === "$regex") return patternProblems(operand, here);
    if (operator === "$not") {
      if (!isObject(operand)) return [{ path: here, message: "must be an object of operators" }];
      if (depth >= depthMax) return [{ path: here, message: `is nested deeper than ${depthMax}` }];
      return operatorProblems(operand, here, depth + 1);
    }
    return valueProblems(operand, here);
  });
}

function operandsProblems(operand: unknown, path: string): readonly Problem[] {
  if (!Array.isArray(operand) || operand.length > listMax) {
    return [{ path, message: `must be a list of at most ${listMax} values` }];
  }
  return (operand as readonly unknown[]).flatMap((value, index) =>
    valueProblems(value, under(path, index)),
  );
}

function valueProblems(value: unknown, path: string): readonly Problem[] {
  const isValue = value === null || ["string", "number", "boolean"].includes(typeof value);
  return isValue ? [] : [{ path, message: "must be a string, number, boolean or null" }];
}

/** A repeated group that itself repeats (`(a+)+`) can take exponential time on a caller's text. */
const nestedRepetition = /\([^)]*[*+}][^)]*\)[*+{]/;

function patternProblems(operand: unknown, path: string): readonly Problem[] {
  if (typeof operand !== "string" || operand.length > patternCharactersMax) {
    const message = `must be a pattern of at most ${patternCharactersMax} characters`;
    return [{ path, message }];
  }
  if (nestedRepetition.test(operand)) {
    return [{ path, message: "repeats a group that repeats: it could take without end" }];
  }
  try {
    new RegExp(operand, "u");
    return [];
  } catch (error) {
    return [{ path, message: (error as Error).message }];
  }
}

/** Whether a checked condition holds for a call. */
export function holds(condition: Condition, facts: CallFacts): boolean {
  return Object.entries(condition).every(([name, wanted]) => {
    if (name === "$not") return !holds(wanted as Condition, facts);
    if (lists.has(name)) {
      const parts = wanted as readonly Condition[];
      if (name === "$and") return parts.every((part) => holds(part, facts));
      const isAny = parts.some((part) => holds(part, facts));
      return name === "$or" ? isAny : !isAny;
    }
    const value = fieldOf(facts, name);
    return isObject(wanted) ? fits(value, wanted) : isSame(value, wanted);
  });
}

function fits(value: unknown, wanted: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(wanted).every(([operator, operand]) => compare(value, operator, operand));
}

function compare(value: unknown, operator: string, operand: unknown): boolean {
  switch (operator) {
    case "$eq":
      return isSame(value, operand);
    case "$ne":
      return !isSame(value, operand);
    case "$in":
      return (operand as readonly unknown[]).some((one) => isSame(value, one));
    case "$nin":
      return !(operand as readonly unknown[]).some((one) => isSame(value, one));
    case "$exists":
      return (value !== undefined) === operand;
    case "$not":
      return !fits(value, operand as Readonly<Record<string, unknown>>);
    case "$regex":
      return (
        typeof value === "string" &&
        new RegExp(operand as string, "u").test(value.slice(0, patternSubjectCharactersMax))
      );
    default:
      return isOrdered(value, operator, operand);
  }
}

/** As in MongoDB: `null` is a field that is not there; a header's `"5"` is the number that a condition asks for. */
function isSame(value: unknown, operand: unknown): boolean {
  if (operand === null) return value === undefined || value === null;
  if (value === operand) return true;
  return typeof value === "string" && typeof operand === "number" && numberIn(value) === operand;
}

function isOrdered(value: unknown, operator: string, operand: unknown): boolean {
  const left = typeof value === "string" && typeof operand === "number" ? numberIn(value) : value;
  const isComparable =
    (typeof left === "number" && typeof operand === "number") ||
    (typeof left === "string" && typeof operand === "string");
  if (!isComparable) return false;
  if (operator === "$gt") return left > operand;
  if (operator === "$gte") return left >= operand;
  if (operator === "$lt") return left < operand;
  return left <= operand;
}

function numberIn(text: string): number | undefined {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  return Number.isNaN(value) ? undefined : value;
}
