import type { CatalogEntry, JsonSchema } from "./entry.ts";

/** References followed before a schema counts as circular. */
const referencesMax = 16;

/**
 * A schema with its `$ref` and single-purpose `allOf` folded in. References point into the document itself:
 * `#/components/schemas/NAME` as in Cog's OpenAPI, or `#/$defs/NAME`. One that leads nowhere is dropped.
 */
export function resolveSchema(root: JsonSchema, schema: JsonSchema): JsonSchema {
  let resolved: JsonSchema = schema;
  for (let step = 0; step < referencesMax; step += 1) {
    const { $ref: reference, allOf, ...rest } = resolved;
    if (typeof reference === "string") {
      resolved = { ...lookUp(root, reference), ...rest };
    } else if (Array.isArray(allOf)) {
      resolved = Object.assign({}, ...allOf, rest) as JsonSchema;
    } else {
      return resolved;
    }
  }
  return {};
}

function lookUp(root: JsonSchema, reference: string): JsonSchema {
  if (!reference.startsWith("#/")) return {};
  let node: unknown = root;
  for (const step of reference.slice(2).split("/")) {
    const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof node !== "object" || node === null || !Object.hasOwn(node, key)) return {};
    node = (node as Readonly<Record<string, unknown>>)[key];
  }
  return typeof node === "object" && node !== null ? (node as JsonSchema) : {};
}

/** Whether the pieces of this model's output are one text (`ConcatenateIterator[str]`, or a plain `str`). */
export function isTextOutput(entry: CatalogEntry): boolean {
  const output = resolveSchema(entry.outputSchema, entry.outputSchema);
  return output["type"] === "string" || isConcatenated(entry);
}

/** Whether the output is a list of strings to be read as one text. */
export function isConcatenated(entry: CatalogEntry): boolean {
  const output = resolveSchema(entry.outputSchema, entry.outputSchema);
  return output["x-cog-array-display"] === "concatenate";
}

/** An output, or a piece of one, as text: strings as they are, text pieces joined, anything else as JSON. */
export function outputText(entry: CatalogEntry, output: unknown): string {
  if (output === null || output === undefined) return "";
  if (typeof output === "string") return output;
  if (Array.isArray(output) && isConcatenated(entry)) {
    return output.map((piece) => outputText(entry, piece)).join("");
  }
  return JSON.stringify(output);
}
