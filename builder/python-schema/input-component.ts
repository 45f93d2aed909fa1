import type { OpenApiDocument } from "../plan/plan.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { Mode } from "./target.ts";

/** The inputs of a document, its references resolved on demand. */
export interface InputComponent {
  readonly properties: Readonly<Record<string, JsonSchema>>;
  readonly required: readonly string[];
  /** Follows `$ref` until a schema that is none. */
  resolve(schema: JsonSchema): JsonSchema;
}

/** Reads the `Input` (or `TrainingInput`) component; undefined when the document has none, so nothing can be checked. */
export function inputComponentOf(
  document: OpenApiDocument,
  mode: Mode = "predict",
): InputComponent | undefined {
  const schemas = recordOf(recordOf(document["components"])?.["schemas"]);
  const component =
    (mode === "train" ? recordOf(schemas?.["TrainingInput"]) : undefined) ??
    recordOf(schemas?.["Input"]);
  const properties = recordOf(component?.["properties"]);
  // Without a list of inputs nobody knows them yet: the built image will say.
  if (schemas === undefined || component === undefined || properties === undefined)
    return undefined;
  const required = Array.isArray(component["required"]) ? component["required"] : [];
  return {
    properties: properties as Readonly<Record<string, JsonSchema>>,
    required: required.filter((name): name is string => typeof name === "string"),
    resolve(schema) {
      let current = schema;
      for (let depth = 0; depth < referenceDepthMax; depth += 1) {
        const reference = current["$ref"];
        if (typeof reference !== "string") return current;
        current = recordOf(schemas[reference.replace("#/components/schemas/", "")]) ?? {};
      }
      return {};
    },
  };
}

/** References followed one after another; a circle ends here. */
const referenceDepthMax = 16;

function recordOf(value: unknown): Record<string, unknown> | undefined {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** Schemas under `allOf`, `anyOf` or `oneOf`. */
export function partsUnder(schema: JsonSchema, key: "allOf" | "anyOf" | "oneOf"): JsonSchema[] {
  const value = schema[key];
  return Array.isArray(value) ? (value as JsonSchema[]) : [];
}
