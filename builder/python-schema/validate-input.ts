import type { OpenApiDocument } from "../plan/plan.ts";
import { type InputComponent, inputComponentOf, partsUnder } from "./input-component.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { Mode } from "./target.ts";

/** One thing wrong with the input of a prediction. */
export interface InputProblem {
  readonly kind: "unknown" | "missing" | "null" | "invalid";
  /** Dotted path: `prompt`, `images.0`. */
  readonly input: string;
  /** `missing required input "prompt"`. */
  readonly message: string;
}

/**
 * Checks an input as the container's server will, and stricter: an unknown name is a problem here, so that a typo fails
 * before anything is built or started. An explicit null fails too: the server does not know OpenAPI's `nullable`.
 */
export function validateInput({
  document,
  input,
  mode,
}: {
  readonly document: OpenApiDocument;
  readonly input: Readonly<Record<string, unknown>>;
  readonly mode?: Mode;
}): InputProblem[] {
  const component = inputComponentOf(document, mode);
  if (component === undefined) return [];
  return [
    ...unknownInputs(component, input),
    ...missingInputs(component, input),
    ...Object.entries(input).flatMap(([name, value]) => {
      const schema = component.properties[name];
      return schema === undefined ? [] : checkValue({ component, schema, value, path: name });
    }),
  ];
}

function unknownInputs(
  component: InputComponent,
  input: Readonly<Record<string, unknown>>,
): InputProblem[] {
  const known = Object.keys(component.properties);
  const suffix =
    known.length === 0
      ? "model does not accept inputs"
      : `valid inputs are: ${known.toSorted().join(", ")}`;
  return Object.keys(input)
    .filter((name) => !Object.hasOwn(component.properties, name))
    .map((name) => ({
      kind: "unknown",
      input: name,
      message: `unknown input ${JSON.stringify(name)}; ${suffix}`,
    }));
}

function missingInputs(
  component: InputComponent,
  input: Readonly<Record<string, unknown>>,
): InputProblem[] {
  return component.required
    .filter((name) => input[name] === undefined)
    .map((name) => ({
      kind: "missing",
      input: name,
      message: `missing required input ${JSON.stringify(name)}`,
    }));
}

interface Check {
  readonly component: InputComponent;
  readonly schema: JsonSchema;
  readonly value: unknown;
  readonly path: string;
}

function checkValue(check: Check): InputProblem[] {
  const { component, value, path } = check;
  const schema = component.resolve(check.schema);
  if (value === undefined) return [];
  if (value === null) return checkNull(schema, path);
  const allOf = partsUnder(schema, "allOf").flatMap((part) =>
    checkValue({ ...check, schema: part }),
  );
  if (allOf.length > 0) return allOf;
  const wrongType = checkType(schema, value, path);
  if (wrongType !== undefined) return [wrongType];
  return [
    ...checkAlternatives({ ...check, schema }),
    ...checkEnumeration(schema, value, path),
    ...checkBounds(schema, value, path),
    ...checkItems({ ...check, schema }),
  ];
}

function checkNull(schema: JsonSchema, path: string): InputProblem[] {
  const isConstrained = ["type", "allOf", "anyOf", "oneOf", "enum"].some((key) => key in schema);
  if (!isConstrained) return [];
  const message = `invalid input ${JSON.stringify(path)}: must not be null (omit the input to use its default)`;
  return [{ kind: "null", input: path, message }];
}

function checkType(schema: JsonSchema, value: unknown, path: string): InputProblem | undefined {
  const expected = schema["type"];
  if (typeof expected !== "string" || isOfType(value, expected)) return undefined;
  return invalid(path, `expected ${expected}, got ${typeNameOf(value)}`);
}

/** Whether a JSON value is of a JSON Schema type. */
export function isOfType(value: unknown, type: string): boolean {
  if (type === "integer") return typeof value === "number" && Number.isInteger(value);
  return type === typeNameOf(value);
}

function typeNameOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function checkAlternatives(check: Check): InputProblem[] {
  const { component, schema, value, path } = check;
  const parts = [...partsUnder(schema, "anyOf"), ...partsUnder(schema, "oneOf")];
  if (parts.length === 0) return [];
  const results = parts.map((part) => checkValue({ ...check, schema: part }));
  if (results.some((problems) => problems.length === 0)) return [];
  const types = parts.flatMap((part) => {
    const type = component.resolve(part)["type"];
    return typeof type === "string" ? [type] : [];
  });
  return [invalid(path, `expected ${types.join(" or ")}, got ${typeNameOf(value)}`)];
}

function checkEnumeration(schema: JsonSchema, value: unknown, path: string): InputProblem[] {
  const values: unknown = schema["enum"];
  if (!Array.isArray(values) || values.includes(value)) return [];
  const shown = values.map((item: unknown) =>
    typeof item === "string" ? item : JSON.stringify(item),
  );
  return [invalid(path, `must be one of: ${shown.join(", ")}`)];
}

function checkBounds(schema: JsonSchema, value: unknown, path: string): InputProblem[] {
  const bound = (key: string): number | undefined => {
    const limit = schema[key];
    return typeof limit === "number" ? limit : undefined;
  };
  const problems: InputProblem[] = [];
  const refuse = (isWrong: boolean, reason: string): void => {
    if (isWrong) problems.push(invalid(path, reason));
  };
  if (typeof value === "number") {
    const [minimum, maximum] = [bound("minimum"), bound("maximum")];
    refuse(
      minimum !== undefined && value < minimum,
      `number must be at least ${minimum} (minimum)`,
    );
    refuse(maximum !== undefined && value > maximum, `number must be at most ${maximum} (maximum)`);
  }
  if (typeof value === "string") {
    const [shortest, longest] = [bound("minLength"), bound("maxLength")];
    // JSON Schema counts characters, not UTF-16 units.
    const length = Array.from(value).length;
    refuse(shortest !== undefined && length < shortest, `minimum string length is ${shortest}`);
    refuse(longest !== undefined && length > longest, `maximum string length is ${longest}`);
    const pattern = schema["pattern"];
    const regex = typeof pattern === "string" ? compile(pattern) : undefined;
    refuse(
      regex?.test(value) === false,
      `string doesn't match the regular expression "${String(pattern)}"`,
    );
  }
  return problems;
}

/** A pattern of Python's that JavaScript cannot compile is left to the server. */
function compile(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern, "u");
  } catch {
    return undefined;
  }
}

function checkItems(check: Check): InputProblem[] {
  const { schema, value, path } = check;
  const items = schema["items"];
  if (!Array.isArray(value) || items === null || typeof items !== "object") return [];
  return value.flatMap((item: unknown, index) =>
    checkValue({ ...check, schema: items as JsonSchema, value: item, path: `${path}.${index}` }),
  );
}

function invalid(path: string, reason: string): InputProblem {
  return {
    kind: "invalid",
    input: path,
    message: `invalid input ${JSON.stringify(path)}: ${reason}`,
  };
}
