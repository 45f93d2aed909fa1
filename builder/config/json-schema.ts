import { z } from "zod";
import { byomYamlSchema } from "./deploy-settings.ts";
import { deadKeys, deprecatedKeys, exampleLines } from "./hints.ts";
import { cogYamlSchema } from "./schema.ts";

type Schema = { [key: string]: unknown };

/** Keys whose values may be written as numbers: their text counts. */
const versionKeys: ReadonlySet<string> = new Set([
  "build.python_version",
  "build.cuda",
  "build.cudnn",
  "build.sdk_version",
]);

/**
 * The JSON Schema (draft 7, which editors' YAML servers read) of cog.yaml or byom.yaml, from the same definitions that
 * check the files. Unknown keys are refused here, so that an editor marks a typo; byom itself only warns of them.
 */
export function createConfigJsonSchema(file: "cog" | "byom"): Schema {
  const definition = file === "cog" ? cogYamlSchema : byomYamlSchema;
  const schema = z.toJSONSchema(definition, {
    io: "output",
    target: "draft-7",
    unrepresentable: "any",
  }) as Schema;
  describe(schema, "");
  if (file === "cog") allowCommands(schema);
  return { ...schema, title: `${file}.yaml` };
}

/** Adds what the hints say of each key, below the schema of a mapping or a list. */
function describe(schema: Schema, path: string): void {
  for (const part of [schema, ...alternatives(schema)]) {
    const items = part["items"];
    if (isSchema(items)) describe(items, `${path}[]`);
    if (!isSchema(part["properties"])) continue;
    for (const [name, property] of Object.entries(part["properties"])) {
      if (!isSchema(property)) continue;
      const key = path === "" ? name : `${path}.${name}`;
      const replacement = deprecatedKeys[key] ?? deadKeys[key];
      const description = replacement ?? exampleLines[key];
      if (description !== undefined) property["description"] = description;
      if (replacement !== undefined) property["deprecated"] = true;
      if (versionKeys.has(key)) property["type"] = ["string", "number", "null"];
      describe(property, key);
    }
  }
}

/** An item of build.run is most often plain text, which the schema reads as its `command`. */
function allowCommands(schema: Schema): void {
  const build = at(schema, "build");
  for (const part of alternatives(at(build, "run"))) {
    if (isSchema(part["items"])) part["items"] = { anyOf: [{ type: "string" }, part["items"]] };
  }
}

function at(schema: Schema, name: string): Schema {
  for (const part of [schema, ...alternatives(schema)]) {
    const properties = part["properties"];
    const property = isSchema(properties) ? properties[name] : undefined;
    if (isSchema(property)) return property;
  }
  return {};
}

function alternatives(schema: Schema): Schema[] {
  const parts = schema["anyOf"];
  return Array.isArray(parts) ? parts.filter(isSchema) : [];
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
