/** A JSON Schema as the catalog has it. */
export type Schema = Readonly<Record<string, unknown>>;

/** Nesting that is written out; deeper, a type says nothing. */
const depthMax = 12;

/**
 * A JSON Schema as a TypeScript type. What has no type in TypeScript (ranges, patterns) is left to the platform's own
 * check; what cannot be read is `unknown`.
 */
export function renderSchemaType(root: Schema, schema: Schema = root, depth = 0): string {
  if (depth > depthMax) return "unknown";
  const resolved = resolve(root, schema);
  const type = nonNullType(root, resolved, depth);
  const isNullable = resolved["nullable"] === true && type !== "unknown";
  return isNullable ? `${type} | null` : type;
}

/** Cog's generator writes it at every list of choices; it says nothing of the input. */
const enumerationDescription = "An enumeration.";

/** The properties of an input schema as members of an object type, one a line; optional unless required. */
export function renderMembers(root: Schema, depth = 0): readonly string[] {
  const { properties, required } = resolve(root, root);
  if (!isObject(properties)) return [];
  const needed: readonly unknown[] = Array.isArray(required) ? required : [];
  return Object.entries(properties).flatMap(([name, property]) => {
    const schema = isObject(property) ? property : {};
    const { description } = resolve(root, schema);
    const mark = needed.includes(name) ? "" : "?";
    const line = `readonly ${propertyName(name)}${mark}: ${renderSchemaType(root, schema, depth + 1)};`;
    const isSaid = typeof description === "string" && description !== enumerationDescription;
    return isSaid ? [comment(description), line] : [line];
  });
}

function nonNullType(root: Schema, schema: Schema, depth: number): string {
  const { enum: choices, const: only, type } = schema;
  if (only !== undefined) return JSON.stringify(only);
  if (Array.isArray(choices)) return union(choices.map((choice) => JSON.stringify(choice)));
  const options = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(options)) {
    return union(options.map((option) => renderSchemaType(root, asSchema(option), depth + 1)));
  }
  if (Array.isArray(type)) {
    return union(type.map((one) => nonNullType(root, { ...schema, type: one }, depth)));
  }
  switch (type) {
    case "string":
      return schema["format"] === "uri" ? "FileInput" : "string";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "null":
      return "null";
    case "array":
      return `readonly (${renderSchemaType(root, asSchema(schema["items"]), depth + 1)})[]`;
    case "object":
      return objectType(root, schema, depth);
    default:
      return isObject(schema["properties"]) ? objectType(root, schema, depth) : "unknown";
  }
}

function objectType(root: Schema, schema: Schema, depth: number): string {
  const { properties, required, additionalProperties } = schema;
  const open = isObject(additionalProperties)
    ? renderSchemaType(root, additionalProperties, depth + 1)
    : "unknown";
  if (!isObject(properties) || Object.keys(properties).length === 0) {
    return `Readonly<Record<string, ${open}>>`;
  }
  const needed: readonly unknown[] = Array.isArray(required) ? required : [];
  const members = Object.entries(properties).map(([name, property]) => {
    const mark = needed.includes(name) ? "" : "?";
    return `readonly ${propertyName(name)}${mark}: ${renderSchemaType(root, asSchema(property), depth + 1)}`;
  });
  return `{ ${members.join("; ")} }`;
}

/** References followed before a schema counts as circular. */
const referencesMax = 16;

function resolve(root: Schema, schema: Schema): Schema {
  let resolved = schema;
  for (let step = 0; step < referencesMax; step += 1) {
    const { $ref: reference, allOf, ...rest } = resolved;
    if (typeof reference === "string") resolved = { ...lookUp(root, reference), ...rest };
    else if (Array.isArray(allOf))
      resolved = Object.assign({}, ...(allOf as object[]), rest) as Schema;
    else return resolved;
  }
  return {};
}

function lookUp(root: Schema, reference: string): Schema {
  let node: unknown = root;
  for (const step of reference.replace(/^#\//, "").split("/")) {
    node = isObject(node) ? node[step.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined;
  }
  return asSchema(node);
}

function union(types: readonly string[]): string {
  const distinct = [...new Set(types)];
  if (distinct.length === 0 || distinct.includes("unknown")) return "unknown";
  return distinct.join(" | ");
}

function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

/** A description cannot end its comment early. */
export function comment(text: string): string {
  return `/** ${text.replaceAll("*/", "*∕").replaceAll(/\s+/g, " ").trim()} */`;
}

function asSchema(value: unknown): Schema {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
