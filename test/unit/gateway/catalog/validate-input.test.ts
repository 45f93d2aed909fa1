import { describe, expect, it } from "vitest";

import { validateInput } from "../../../../gateway/index.ts";

// A wrong input is told at once and completely, instead of waking a GPU to hear of the first mistake.

const schema = {
  type: "object",
  required: ["prompt"],
  properties: {
    prompt: { type: "string", minLength: 2, maxLength: 4 },
    count: { type: "integer", minimum: 1, maximum: 10 },
    scale: { type: "number" },
    upper: { type: "boolean" },
    mode: { allOf: [{ $ref: "#/components/schemas/mode" }], default: "fast" },
    code: { type: "string", pattern: "^[a-z]+$" },
    tags: { type: "array", items: { type: "string" }, maxItems: 2 },
    maybe: { type: "integer", nullable: true },
    either: { anyOf: [{ type: "string" }, { type: "integer" }] },
    anything: {},
    person: { type: "object", required: ["name"], properties: { name: { type: "string" } } },
    lost: { $ref: "#/components/schemas/nowhere" },
  },
  components: { schemas: { mode: { type: "string", enum: ["fast", "good"] } } },
};

const problems = (input: Record<string, unknown>): string[] =>
  validateInput(schema, { prompt: "ok", ...input }).map(
    ({ input: name, kind, message }) => `${name} [${kind}] ${message}`,
  );

describe("an input", () => {
  it.each([
    [{ count: 10, scale: 1, upper: false, mode: "good", code: "abc", tags: ["a", "b"] }],
    [{ maybe: null, either: 5, anything: null, person: { name: "x", age: 3 }, lost: [1] }],
    [{ prompt: "üüü😀" }],
  ])("passes: %j", (input) => {
    expect(problems(input)).toEqual([]);
  });

  it.each([
    [{ count: 1.5 }, "count [type] must be an integer, found a number"],
    [{ count: "3" }, "count [type] must be an integer, found a string"],
    [{ count: 0 }, "count [range] must be at least 1, found 0"],
    [{ count: 11 }, "count [range] must be at most 10, found 11"],
    [{ count: null }, "count [type] must not be null"],
    [{ upper: 1 }, "upper [type] must be a boolean, found an integer"],
    [{ mode: "slow" }, 'mode [choice] must be one of "fast", "good"'],
    [{ code: "A1" }, "code [pattern] must match ^[a-z]+$"],
    [{ tags: ["a", 2] }, "tags.1 [type] must be a string, found an integer"],
    [{ tags: ["a", "b", "c"] }, "tags [length] must have at most 2 items, found 3"],
    [{ tags: "a" }, "tags [type] must be an array, found a string"],
    [{ either: true }, "either [type] must be one of: string, integer"],
    [{ person: {} }, "person.name [required] is required"],
    [{ prompt: "a" }, "prompt [length] must have at least 2 characters, found 1"],
    [{ prompt: "😀😀😀😀😀" }, "prompt [length] must have at most 4 characters, found 5"],
  ])("%j is refused: %s", (input, expected) => {
    expect(problems(input)).toEqual([expected]);
  });

  it("names what is missing and what is unknown together", () => {
    expect(validateInput(schema, { promt: "x" })).toEqual([
      {
        input: "promt",
        kind: "unknown",
        message: expect.stringContaining("its inputs are prompt, count, scale"),
      },
      { input: "prompt", kind: "required", message: "is required" },
    ]);
  });

  it("is not fooled by names of the prototype", () => {
    expect(problems({ constructor: 1 })[0]).toContain("constructor [unknown]");
  });
});
