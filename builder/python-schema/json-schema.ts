/** A fragment of JSON Schema in OpenAPI 3.0.2's dialect. */
export interface JsonSchema {
  readonly [key: string]: unknown;
}

/** JSON Schema of the simple kinds, exactly as cog writes them. */
export function simpleSchemaOf(kind: string): JsonSchema {
  switch (kind) {
    case "bool":
      return { type: "boolean" };
    case "float":
      return { type: "number" };
    case "int":
      return { type: "integer" };
    case "str":
      return { type: "string" };
    case "path":
    case "file":
      return { format: "uri", type: "string" };
    case "secret":
      return { format: "password", type: "string", writeOnly: true, "x-cog-secret": true };
    default:
      return { type: "object" };
  }
}

/** The one JSON type of a list of values, `string` when they differ: the type of an enumeration. */
export function typeOfValues(values: readonly unknown[]): string {
  const types = new Set(
    values.map((value) => {
      if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
      return typeof value;
    }),
  );
  if (types.size === 2 && types.has("integer") && types.has("number")) return "number";
  const [only] = types;
  return types.size === 1 && only !== undefined ? only : "string";
}

/** `max_new_tokens` → `Max New Tokens`. */
export function titleOf(name: string): string {
  return name
    .split("_")
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join(" ");
}
