import type { LogEntry } from "./entry.ts";

/** What entries can be found by. */
export const logFields = [
  "id",
  "requestId",
  "eventId",
  "traceId",
  "createdAt",
  "durationMs",
  "firstOutputMs",
  "requestedModel",
  "model",
  "task",
  "provider",
  "route",
  "keyId",
  "surface",
  "status",
  "statusCode",
  "code",
  "isCached",
  "isStreamed",
  "nanoUsd",
  "tokensIn",
  "tokensOut",
  "tokens",
  "feedback",
  "score",
] as const;
export type LogField = (typeof logFields)[number];

/** `like`: `*` at the end stands for anything. `contains`: anywhere in it. */
export type Operator = "eq" | "neq" | "contains" | "like" | "lt" | "gt" | "gte" | "lte";
export type Value = string | number | boolean | null;

/** Something that must hold of an entry; several values: one of them (for `neq` none of them). */
export type Condition =
  | {
      readonly kind: "field";
      readonly field: LogField;
      readonly operator: Operator;
      readonly values: readonly Value[];
    }
  /** One pair of the metadata has such a key and such a value; empty: any. Values are compared as texts. */
  | {
      readonly kind: "metadata";
      readonly keys: readonly string[];
      readonly values: readonly string[];
      readonly operator: "eq" | "neq" | "contains";
    }
  /** Words in the error or the payload; each must be there, and may go on. */
  | { readonly kind: "text"; readonly words: readonly string[] };

/** Whether an entry of the live tail fits. What only the log knows (words of a payload) is looked for in the error. */
export function fitsAll(entry: LogEntry, conditions: readonly Condition[]): boolean {
  return conditions.every((condition) => fits(entry, condition));
}

function fits(entry: LogEntry, condition: Condition): boolean {
  if (condition.kind === "field") {
    const { operator, values } = condition;
    const actual = valueOf(entry, condition.field);
    return operator === "neq"
      ? values.every((value) => !compares(actual, "eq", value))
      : values.some((value) => compares(actual, operator, value));
  }
  if (condition.kind === "text") {
    const text = (entry.error ?? "").toLowerCase();
    return condition.words.every((word) => text.includes(word.toLowerCase()));
  }
  const { keys, values, operator } = condition;
  const found = Object.entries(entry.metadata).some(
    ([key, value]) =>
      (keys.length === 0 || keys.includes(key)) &&
      (values.length === 0 ||
        values.some((one) =>
          operator === "contains" ? String(value).includes(one) : String(value) === one,
        )),
  );
  return operator === "neq" ? !found : found;
}

function valueOf(entry: LogEntry, field: LogField): Value {
  if (field === "createdAt") return Date.parse(entry.createdAt);
  if (field === "tokens") return (entry.tokensIn ?? 0) + (entry.tokensOut ?? 0);
  return entry[field] ?? null;
}

function compares(actual: Value, operator: Operator, value: Value): boolean {
  if (operator === "eq") return actual === value;
  if (actual === null || value === null) return false;
  if (operator === "contains") return String(actual).includes(String(value));
  if (operator === "like") {
    const pattern = String(value);
    return pattern.endsWith("*")
      ? String(actual).startsWith(pattern.slice(0, -1))
      : actual === value;
  }
  if (operator === "lt") return actual < value;
  if (operator === "lte") return actual <= value;
  return operator === "gt" ? actual > value : actual >= value;
}
