import { describe, expect, it } from "vitest";
import { createSchema, validateInput } from "../../../../builder/python-schema/index.ts";

const source = `
from typing import Optional
from cog import Input, Path
def run(
    prompt: str,
    count: int = Input(default=5, ge=1, le=10),
    size: str = Input(default="small", choices=["small", "medium", "large"]),
    title: str = Input(default="ok", max_length=5, min_length=2),
    slug: str = Input(default="ok", regex="^[a-z]+$"),
    note: Optional[str] = Input(default=None),
    ratio: float = 0.5,
    tags: list[str] = [],
    either: str | int = "a",
    data: dict = {},
    sizes: list[str] = Input(default=[], choices=["s", "m"]),
) -> str: ...
`;

const { document } = await createSchema({
  directory: "/unused",
  predictor: "predict.py:run",
  readFile: async (path) => (path === "predict.py" ? source : undefined),
});

const messagesFor = (input: Record<string, unknown>): string[] =>
  validateInput({ document, input: { prompt: "hi", ...input } }).map((problem) => problem.message);

describe("an input that the model would refuse is refused before anything starts", () => {
  it.each<[Record<string, unknown>, string]>([
    [{ count: "lots" }, 'invalid input "count": expected integer, got string'],
    [{ count: 1.5 }, 'invalid input "count": expected integer, got number'],
    [{ count: true }, 'invalid input "count": expected integer, got boolean'],
    [{ count: 0 }, 'invalid input "count": number must be at least 1 (minimum)'],
    [{ count: 99 }, 'invalid input "count": number must be at most 10 (maximum)'],
    [{ size: "huge" }, 'invalid input "size": must be one of: small, medium, large'],
    [{ size: 3 }, 'invalid input "size": expected string, got number'],
    [{ title: "toolong" }, 'invalid input "title": maximum string length is 5'],
    [{ title: "a" }, 'invalid input "title": minimum string length is 2'],
    [
      { slug: "BAD" },
      `invalid input "slug": string doesn't match the regular expression "^[a-z]+$"`,
    ],
    [
      { count: null },
      'invalid input "count": must not be null (omit the input to use its default)',
    ],
    [{ note: null }, 'invalid input "note": must not be null (omit the input to use its default)'],
    [
      { either: null },
      'invalid input "either": must not be null (omit the input to use its default)',
    ],
    [{ either: 1.5 }, 'invalid input "either": expected string or integer, got number'],
    [{ tags: "a" }, 'invalid input "tags": expected array, got string'],
    [{ tags: ["a", 1] }, 'invalid input "tags.1": expected string, got number'],
    [
      { tags: [null] },
      'invalid input "tags.0": must not be null (omit the input to use its default)',
    ],
    [{ sizes: ["s", "x"] }, 'invalid input "sizes.1": must be one of: s, m'],
    [{ data: [] }, 'invalid input "data": expected object, got array'],
  ])("%j", (input, message) => {
    expect(messagesFor(input)).toEqual([message]);
  });

  it("names a typo and what there is", () => {
    expect(messagesFor({ nope: 1 })).toEqual([
      'unknown input "nope"; valid inputs are: count, data, either, note, prompt, ratio, size, sizes, slug, tags, title',
    ]);
  });

  it("does not take a name of Object's prototype for an input", () => {
    expect(messagesFor({ constructor: 1 })).toEqual([
      expect.stringContaining('unknown input "constructor"'),
    ]);
  });

  it("names what is missing", () => {
    expect(validateInput({ document, input: {} })).toEqual([
      { kind: "missing", input: "prompt", message: 'missing required input "prompt"' },
    ]);
  });

  it("reports everything at once", () => {
    expect(
      validateInput({ document, input: { nope: 1, count: 0 } }).map(({ kind }) => kind),
    ).toEqual(["unknown", "missing", "invalid"]);
  });
});

it("accepts what the model accepts", () => {
  expect(
    messagesFor({
      count: 10,
      size: "large",
      title: "éééé",
      note: "x",
      ratio: 1,
      tags: ["a"],
      either: 2,
      data: { any: [null] },
      sizes: ["s"],
    }),
  ).toEqual([]);
});

it("checks nothing against a document that describes no inputs", () => {
  expect(validateInput({ document: { openapi: "3.0.2" }, input: { anything: 1 } })).toEqual([]);
});
