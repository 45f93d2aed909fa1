/** References followed before a schema counts as circular. */
const referencesMax = 16;

/** A schema with its `$ref`, single-purpose `allOf` and unions with null folded in. */
export function resolve(root, schema) {
  let resolved = isObject(schema) ? schema : {};
  for (let step = 0; step < referencesMax; step += 1) {
    const { $ref: reference, allOf, anyOf, oneOf, ...rest } = resolved;
    const union = anyOf ?? oneOf;
    if (typeof reference === "string") resolved = { ...lookUp(root, reference), ...rest };
    else if (Array.isArray(allOf)) resolved = Object.assign({}, ...allOf.filter(isObject), rest);
    else if (Array.isArray(union)) {
      const options = union.filter((option) => isObject(option) && option.type !== "null");
      if (options.length !== 1) return { ...rest, union: options.map((one) => resolve(root, one)) };
      resolved = { ...options[0], ...rest };
    } else return resolved;
  }
  return {};
}

function lookUp(root, reference) {
  if (!reference.startsWith("#/")) return {};
  let node = root;
  for (const step of reference.slice(2).split("/")) {
    const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
    if (!isObject(node) || !Object.hasOwn(node, key)) return {};
    node = node[key];
  }
  return isObject(node) ? node : {};
}

/** The inputs of a model in the order of `x-order`: `{name, schema, isRequired}`. */
export function inputsOf(root) {
  const { properties, required } = resolve(root, root);
  if (!isObject(properties)) return [];
  const needed = Array.isArray(required) ? required : [];
  return Object.entries(properties)
    .map(([name, schema]) => ({
      name,
      schema: resolve(root, schema),
      items: resolve(root, resolve(root, schema).items ?? {}),
      isRequired: needed.includes(name),
    }))
    .toSorted(
      (one, other) => Number(one.schema["x-order"] ?? 0) - Number(other.schema["x-order"] ?? 0),
    );
}

/** Whether the pieces of an output are one text. */
export function isTextOutput(root) {
  const output = resolve(root, root);
  return output.type === "string"
    ? output.format !== "uri"
    : output["x-cog-array-display"] === "concatenate";
}

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
