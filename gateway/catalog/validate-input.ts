import type { JsonSchema } from "./entry.ts";
import { resolveSchema } from "./schema.ts";

/** One thing wrong with an input. */
export interface InputProblem {
  /** Name of the input, dotted below the top (`messages.0.role`). */
  readonly input: string;
  readonly kind:
    | "unknown"
    | "required"
    | "type"
    | "choice"
    | "range"
    | "length"
    | "pattern"
    | "refused";
  /** Without the name: `is required`, `must be at most 10`. */
  readonly message: string;
}

/** Problems reported at once; a caller who sends a hundred wrong inputs reads the first ones. */
const problemsMax = 20;
/** Nesting that is checked; Cog's inputs are flat or one list deep. */
const depthMax = 16;

/**
 * Checks an input against what Cog writes as a model's input schema: types, required, choices (`enum` behind
 * `allOf`/`$ref`), bounds, lengths, patterns, nullable, unions. Unknown inputs are problems that list the known ones.
 * What the checker does not understand passes; the model has the last word.
 */
export function validateInput(
  schema: JsonSchema,
  input: Readonly<Record<string, unknown>>,
): readonly InputProblem[] {
  const problems: InputProblem[] = [];
  const properties = propertiesOf(schema);
  const names = Object.keys(properties);
  for (const name of Object.keys(input)) {
    if (names.length > 0 && !Object.hasOwn(properties, name) && !isOpen(schema)) {
      problems.push({
        input: name,
        kind: "unknown",
        message: `is not an input of this model; its inputs are ${names.join(", ")}`,
      });
    }
  }
  for (const name of requiredOf(schema)) {
    if (!Object.hasOwn(input, name)) {
      problems.push({ input: name, kind: "required", message: "is required" });
    }
  }
  for (const [name, property] of Object.entries(properties)) {
    if (!Object.hasOwn(input, name)) continue;
    check({ root: schema, schema: property, value: input[name], path: name, depth: 0, problems });
  }
  return problems.slice(0, problemsMax);
}

/** The properties of an input schema, in the order of `x-order`. */
export function propertiesOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  const properties = resolveSchema(schema, schema)["properties"];
  if (!isRecord(properties)) return {};
  const entries = Object.entries(properties).filter((entry): entry is [string, JsonSchema] =>
    isRecord(entry[1]),
  );
  entries.sort(([, a], [, b]) => Number(a["x-order"] ?? 0) - Number(b["x-order"] ?? 0));
  return Object.fromEntries(entries);
}

function requiredOf(schema: JsonSchema): readonly string[] {
  const required = resolveSchema(schema, schema)["required"];
  return Array.isArray(required) ? required.map(String) : [];
}

function isOpen(schema: JsonSchema): boolean {
  const additional = resolveSchema(schema, schema)["additionalProperties"];
  return additional === true || isRecord(additional);
}

interface Check {
  readonly root: JsonSchema;
  readonly schema: JsonSchema;
  readonly value: unknown;
  readonly path: string;
  readonly depth: number;
  readonly problems: InputProblem[];
}

function check(item: Check): void {
  if (item.depth > depthMax || item.problems.length >= problemsMax) return;
  const schema = resolveSchema(item.root, item.schema);
  const { value, path, problems } = item;
  const add = (kind: InputProblem["kind"], message: string): void => {
    problems.push({ input: path, kind, message });
  };
  if (value === null) {
    if (!acceptsNull(item.root, schema)) add("type", "must not be null");
    return;
  }
  const union = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(union)) {
    if (!union.some((option) => isRecord(option) && passes(item, option))) {
      add(
        "type",
        `must be one of: ${union.map((option) => describe(item.root, option)).join(", ")}`,
      );
    }
    return;
  }
  const choices = schema["enum"];
  if (Array.isArray(choices) && !choices.includes(value)) {
    add("choice", `must be one of ${choices.map((choice) => JSON.stringify(choice)).join(", ")}`);
    return;
  }
  const type = schema["type"];
  if (typeof type === "string" && !isOfType(type, value)) {
    add("type", `must be ${article(type)}, found ${typeName(value)}`);
    return;
  }
  if (typeof value === "number") checkRange(schema, value, add);
  else if (typeof value === "string") checkText(schema, value, add);
  else if (Array.isArray(value)) checkItems(item, schema, value, add);
  else if (isRecord(value)) checkMembers(item, schema, value);
}

type Add = (kind: InputProblem["kind"], message: string) => void;

function checkRange(schema: JsonSchema, value: number, add: Add): void {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  if (
    typeof minimum === "number" &&
    (value < minimum || (exclusiveMinimum === true && value === minimum))
  ) {
    add("range", `must be at least ${minimum}, found ${value}`);
  }
  if (
    typeof maximum === "number" &&
    (value > maximum || (exclusiveMaximum === true && value === maximum))
  ) {
    add("range", `must be at most ${maximum}, found ${value}`);
  }
}

function checkText(schema: JsonSchema, value: string, add: Add): void {
  const { minLength, maxLength, pattern } = schema;
  // JSON Schema counts characters, not UTF-16 units; only near a bound is the difference worth counting.
  const bound = typeof minLength === "number" || typeof maxLength === "number";
  const length = bound ? Array.from(value).length : 0;
  if (typeof minLength === "number" && length < minLength) {
    add("length", `must have at least ${minLength} characters, found ${length}`);
  }
  if (typeof maxLength === "number" && length > maxLength) {
    add("length", `must have at most ${maxLength} characters, found ${length}`);
  }
  if (typeof pattern === "string" && !matches(pattern, value)) {
    add("pattern", `must match ${pattern}`);
  }
}

function checkItems(item: Check, schema: JsonSchema, value: readonly unknown[], add: Add): void {
  const { minItems, maxItems, items } = schema;
  if (typeof minItems === "number" && value.length < minItems) {
    add("length", `must have at least ${minItems} items, found ${value.length}`);
  }
  if (typeof maxItems === "number" && value.length > maxItems) {
    add("length", `must have at most ${maxItems} items, found ${value.length}`);
  }
  if (!isRecord(items)) return;
  value.forEach((element, index) => {
    check({
      ...item,
      schema: items,
      value: element,
      path: `${item.path}.${index}`,
      depth: item.depth + 1,
    });
  });
}

function checkMembers(
  item: Check,
  schema: JsonSchema,
  value: Readonly<Record<string, unknown>>,
): void {
  const required = Array.isArray(schema["required"]) ? schema["required"].map(String) : [];
  for (const name of required) {
    if (!Object.hasOwn(value, name)) {
      item.problems.push({
        input: `${item.path}.${name}`,
        kind: "required",
        message: "is required",
      });
    }
  }
  const { properties } = schema;
  if (!isRecord(properties)) return;
  for (const [name, property] of Object.entries(properties)) {
    if (!Object.hasOwn(value, name) || !isRecord(property)) continue;
    check({
      ...item,
      schema: property,
      value: value[name],
      path: `${item.path}.${name}`,
      depth: item.depth + 1,
    });
  }
}

function passes(item: Check, schema: JsonSchema): boolean {
  const problems: InputProblem[] = [];
  check({ ...item, schema, depth: item.depth + 1, problems });
  return problems.length === 0;
}

function acceptsNull(root: JsonSchema, schema: JsonSchema): boolean {
  if (schema["nullable"] === true || schema["type"] === "null") return true;
  if (Array.isArray(schema["enum"])) return schema["enum"].includes(null);
  const union = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(union)) {
    return union.some(
      (option) => isRecord(option) && acceptsNull(root, resolveSchema(root, option)),
    );
  }
  // Without a type the model takes anything (`Any`).
  return schema["type"] === undefined;
}

function isOfType(type: string, value: unknown): boolean {
  switch (type) {
    case "string":
      return typeof value === "string";
    case "integer":
      return typeof value === "number" && Number.isInteger(value);
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    case "array":
      return Array.isArray(value);
    case "object":
      return isRecord(value);
    case "null":
      return value === null;
    default:
      return true;
  }
}

function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, "u").test(value);
  } catch {
    // A Python-only pattern: the model checks it itself.
    return true;
  }
}

function describe(root: JsonSchema, option: unknown): string {
  const type = isRecord(option) ? resolveSchema(root, option)["type"] : undefined;
  return typeof type === "string" ? type : "any";
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  if (value === null) return "null";
  if (typeof value === "number") return Number.isInteger(value) ? "an integer" : "a number";
  return article(typeof value);
}

function article(type: string): string {
  return /^[aeio]/.test(type) ? `an ${type}` : `a ${type}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
