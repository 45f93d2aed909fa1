import type { OpenApiDocument } from "../plan/plan.ts";
import { type InputComponent, inputComponentOf, partsUnder } from "./input-component.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { Mode } from "./target.ts";
import { validateInput } from "./validate-input.ts";

/**
 * Turns `-i name=value` texts into values of the schema's types. A name given more than once, or a list type, makes a
 * list; a list or object may also be written as JSON. Text that does not fit stays text, for validateInput to name.
 * `@file` values stay as they are: the caller reads files.
 */
export function coerceInput({
  document,
  values,
  mode,
}: {
  readonly document: OpenApiDocument;
  /** In the order of the command line. */
  readonly values: readonly { readonly name: string; readonly value: string }[];
  readonly mode?: Mode;
}): Record<string, unknown> {
  const component = inputComponentOf(document, mode);
  const texts = new Map<string, string[]>();
  for (const { name, value } of values) texts.set(name, [...(texts.get(name) ?? []), value]);
  const input: Record<string, unknown> = {};
  for (const [name, given] of texts) {
    const schema = component?.properties[name];
    const isKnown = component !== undefined && schema !== undefined;
    const coercion: Coercion | undefined = isKnown ? { component, schema, document } : undefined;
    input[name] = coerce(given, coercion);
  }
  return input;
}

interface Coercion {
  readonly component: InputComponent;
  readonly schema: JsonSchema;
  readonly document: OpenApiDocument;
}

function coerce(texts: readonly string[], coercion: Coercion | undefined): unknown {
  const [first = ""] = texts;
  if (coercion === undefined) return texts.length > 1 ? [...texts] : first;
  const item = itemSchemaOf(coercion.component, coercion.schema);
  if (texts.length > 1) {
    return texts.map((text) =>
      coerceScalar(text, item === undefined ? undefined : { ...coercion, schema: item }),
    );
  }
  const types = typesOf(coercion.component, coercion.schema);
  if (first.startsWith("@")) return types.has("array") && !types.has("string") ? [first] : first;
  if (types.has("array")) return coerceList(first, coercion, item, types);
  if (types.has("object") && !types.has("string")) return parseJson(first) ?? first;
  return coerceScalar(first, coercion);
}

function coerceList(
  text: string,
  coercion: Coercion,
  item: JsonSchema | undefined,
  types: ReadonlySet<string>,
): unknown {
  const parsed = parseJson(text);
  if (Array.isArray(parsed)) return parsed;
  if (types.size > 1) {
    const scalar = coerceScalar(text, coercion);
    if (types.has("string") || typeof scalar !== "string") return scalar;
  }
  return [coerceScalar(text, item === undefined ? undefined : { ...coercion, schema: item })];
}

/** A text as boolean, integer or number when the schema takes one. Where it takes text too, only when nothing speaks against it. */
function coerceScalar(text: string, coercion: Coercion | undefined): unknown {
  if (coercion === undefined) return text;
  const types = typesOf(coercion.component, coercion.schema);
  const candidates: unknown[] = [];
  if (types.has("boolean") && (text === "true" || text === "false"))
    candidates.push(text === "true");
  const isInteger = /^[+-]?\d+$/.test(text);
  const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
  if ((types.has("integer") && isInteger) || (types.has("number") && isNumber)) {
    candidates.push(Number(text));
  }
  const [candidate] = candidates;
  if (candidate === undefined) return text;
  return !types.has("string") || isValid(candidate, coercion) ? candidate : text;
}

function isValid(value: unknown, { document, component, schema }: Coercion): boolean {
  const entry = Object.entries(component.properties).find(([, known]) => known === schema);
  if (entry === undefined) return true;
  const problems = validateInput({ document, input: { [entry[0]]: value } });
  return !problems.some((problem) => problem.kind === "invalid");
}

function typesOf(component: InputComponent, schema: JsonSchema): Set<string> {
  const resolved = component.resolve(schema);
  const type = resolved["type"];
  const parts = (["allOf", "anyOf", "oneOf"] as const).flatMap((key) => partsUnder(resolved, key));
  return new Set([
    ...(typeof type === "string" ? [type] : []),
    ...parts.flatMap((part) => [...typesOf(component, part)]),
  ]);
}

function itemSchemaOf(component: InputComponent, schema: JsonSchema): JsonSchema | undefined {
  const resolved = component.resolve(schema);
  const items = resolved["items"];
  if (items !== null && typeof items === "object") return items as JsonSchema;
  for (const key of ["anyOf", "oneOf", "allOf"] as const) {
    for (const part of partsUnder(resolved, key)) {
      const found = itemSchemaOf(component, part);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
