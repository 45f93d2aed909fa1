// What an editor completes and marks: a key that byom reads and the schema lacks would be marked as a typo.
import { expect, test } from "vitest";
import { cogYamlKeys } from "../../../../builder/config/schema.ts";
import { createConfigJsonSchema } from "../../../../builder/index.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- JSON of any shape, looked into by key
type Schema = Readonly<Record<string, any>>;

/** The mapping among the ways in which a value may be written. */
function mappingOf(schema: Schema): Schema {
  return schema["properties"] === undefined
    ? ((schema["anyOf"] as Schema[]).find((part) => part["properties"] !== undefined) ?? {})
    : schema;
}

test("the schema of cog.yaml has the keys that byom reads, and marks those that are old", () => {
  const schema = createConfigJsonSchema("cog") as Schema;
  const build = mappingOf(schema["properties"]["build"] as Schema)["properties"] as Schema;
  expect(Object.keys(schema["properties"] as Schema)).toEqual(cogYamlKeys[""]);
  expect(Object.keys(build)).toEqual(cogYamlKeys["build"]);
  expect(schema["properties"]["predict"]).toMatchObject({
    deprecated: true,
    description: "rename it to run:",
  });
  expect(build["python_version"]).toMatchObject({ type: ["string", "number", "null"] });
  expect(build["gpu"]["deprecated"]).toBeUndefined();
});

test("a command is text or a mapping with mounts", () => {
  const schema = createConfigJsonSchema("cog") as Schema;
  const build = mappingOf(schema["properties"]["build"] as Schema)["properties"] as Schema;
  const list = (build["run"]["anyOf"] as Schema[]).find((part) => part["items"] !== undefined);
  expect(list?.["items"]).toMatchObject({
    anyOf: [{ type: "string" }, { properties: { command: { type: "string" } } }],
  });
});

test("byom.yaml has one too, closed to typos", () => {
  const schema = createConfigJsonSchema("byom") as Schema;
  expect(schema).toMatchObject({ additionalProperties: false, title: "byom.yaml" });
  expect(Object.keys(schema["properties"] as Schema)).toContain("setup_timeout");
  expect(schema["properties"]["scaling"]["description"]).toContain("idle_timeout");
});
