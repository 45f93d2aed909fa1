import { expect, it } from "vitest";
import { createSchema } from "../../../../builder/python-schema/index.ts";

/** The default that a parameter gets from an expression; undefined when it is only known at run time. */
async function defaultOf(expression: string, preamble = ""): Promise<unknown> {
  const source = `import os, enum\n${preamble}\nclass Level(enum.IntEnum):\n    LOW = 1\n    HIGH = 2\ndef run(x: str = ${expression}) -> str: ...\n`;
  const { document } = await createSchema({
    directory: "/unused",
    predictor: "predict.py:run",
    readFile: async (path) => (path === "predict.py" ? source : undefined),
  });
  const { components } = document as {
    components: { schemas: { Input: { properties: { x: { default?: unknown } } } } };
  };
  return components.schemas.Input.properties.x.default;
}

it.each<[string, unknown]>([
  [String.raw`'a\n\x41\u00e9\t\\' "b"`, "a\nAé\t\\b"],
  [String.raw`r"\d+"`, String.raw`\d+`],
  ["'''long\ntext'''", "long\ntext"],
  ["f'{1 + 1}-{\"a\"}'", "2-a"],
  ["0x1F + 0b11 + 0o17 + 1_000", 31 + 3 + 15 + 1000],
  ["1e-4", 0.0001],
  ["-7 // 2", -4],
  ["-7 % 3", 2],
  ["2 ** 10 / 4", 256],
  ["'ab' * 2 + 'c'", "ababc"],
  ["'%s-%d' % ('a', 3)", "a-3"],
  ["'{}/{name}'.format('a', name='b')", "a/b"],
  ["'-'.join(['a', 'b']).upper()", "A-B"],
  ["[*range(3), *(4, 5)]", [0, 1, 2, 4, 5]],
  ["{**{'b': 1}, 'a': [True, None]}", { a: [true, null], b: 1 }],
  ["[k for k, v in {'a': 1, 'b': 2}.items() if v > 1]", ["b"]],
  ["{n: n * n for n in (1, 2)}", { "1": 1, "2": 4 }],
  ["[1, 2, 3][-1]", 3],
  ["'abcdef'[1:3]", "bc"],
  ["'x' if 3 in [1, 2] else 'y'", "y"],
  ["None or 'fallback'", "fallback"],
  ["not []", true],
  ["[level.name for level in Level]", ["LOW", "HIGH"]],
  ["Level.HIGH.value", 2],
  ["Level.HIGH", 2],
  ["sorted({'b', 'a'}, reverse=True)", ["b", "a"]],
  ["dict(a=1, b=max(2, 3))", { a: 1, b: 3 }],
  ["os.environ.get('SOME_NAME', 'unset')", "unset"],
  ["os.path.join('a', 'b')", "a/b"],
])("reads %s without running Python", async (expression, expected) => {
  expect(await defaultOf(expression)).toEqual(expected);
});

it("reads what later statements do to a constant", async () => {
  const preamble = "X = {'a': 1}\nX['b'] = 2\nX.update({'c': 3})\nL = [1]\nL += [2]\nL.append(3)";
  expect(await defaultOf("list(X) + L", preamble)).toEqual(["a", "b", "c", 1, 2, 3]);
});

it("follows a constant that is made from itself", async () => {
  expect(await defaultOf("X", "X = ['b', 'a']\nX = sorted(X)\nX = X + ['z']")).toEqual([
    "a",
    "b",
    "z",
  ]);
});

it("reads getattr of a class of the repo, and its fallback", async () => {
  const preamble = "class Settings:\n    A = 1";
  expect(
    await defaultOf("[getattr(Settings, 'A', 2), getattr(Settings, 'B', 2)]", preamble),
  ).toEqual([1, 2]);
});

it("reads keys of a dict whose values only a running Python knows", async () => {
  expect(await defaultOf("list(X.keys())", "X = {'DDIM': DDIM, 'PNDM': PNDM.make()}")).toEqual([
    "DDIM",
    "PNDM",
  ]);
});

it("prefers the branch that normally runs", async () => {
  const preamble = "try:\n    X = 1\nexcept ImportError:\n    X = 2";
  expect(await defaultOf("X", preamble)).toBe(1);
});

it.each([
  "open('x').read()",
  "os.environ['HOME']",
  "float('inf')",
  "unknown",
  "[1][7]",
  "{'a': 1}['b']",
  "lambda: 1",
  "1 / 0",
  "b'bytes'",
  "3j",
  "list(X.values())",
])("leaves %s to the running model", async (expression) => {
  expect(await defaultOf(expression, "X = {'a': make()}")).toBeUndefined();
});
