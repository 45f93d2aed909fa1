// Any text may stand in a predictor's file: reading it never ends in an exception, and every problem has its place.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  coerceInput,
  createSchema,
  validateInput,
} from "../../../../builder/python-schema/index.ts";

/** `FUZZ_CASES=10000 FUZZ_SEED=$RANDOM` for a long look elsewhere; by default the same cases every time. */
const cases = Number(process.env["FUZZ_CASES"] ?? 500);
const seed = Number(process.env["FUZZ_SEED"] ?? 2026);

/** Per case, far more than any needs: a long run must not be cut off. */
const timeoutMs = 60_000 + cases * 100;

let slowestMs = 0;

async function check(files: Readonly<Record<string, string>>, name: string): Promise<void> {
  const startedAt = performance.now();
  const readFile = async (path: string): Promise<string | undefined> => files[path];
  const { document, problems, questions } = await createSchema({
    directory: "/none",
    predictor: `predict.py:${name}`,
    trainer: "predict.py:train",
    readFile,
  });
  slowestMs = Math.max(slowestMs, performance.now() - startedAt);
  for (const problem of problems) {
    expect(Object.keys(files)).toContain(problem.file);
    const lines = files[problem.file]!.split(/\r\n|\n/).length;
    expect(problem.line).toBeGreaterThanOrEqual(1);
    expect(problem.line).toBeLessThanOrEqual(lines);
    expect(problem.message).not.toBe("");
    expect(problem.hint ?? "").not.toBe("");
  }
  // Whatever only the image knows is also a warning: nothing is left out in silence.
  if (questions.length > 0) expect(problems).not.toEqual([]);
  expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  expect(document).toMatchObject({ components: { schemas: { Input: {}, Output: {} } } });
  const input = coerceInput({ document, values: [{ name: "a", value: "3" }] });
  validateInput({ document, input });
}

const name = fc.constantFrom("a", "b", "c", "prompt", "X", "D", "Kind", "Input", "self", "Path");

const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.constantFrom(
      "None",
      "True",
      "...",
      "1",
      "-2",
      "1e400",
      "0x1f",
      "1_000",
      "2j",
      '"s"',
      "b'x'",
      'f"{X}"',
      "r'\\d'",
      "[]",
      "{}",
      "()",
    ),
    name,
    fc
      .tuple(
        tie("expression"),
        fc.constantFrom("+", "-", "*", "/", "//", "%", "**", "|", "<<", "and", "in", "<", "=="),
        tie("expression"),
      )
      .map((parts) => parts.join(" ")),
    fc.array(tie("expression"), { maxLength: 3 }).map((items) => `[${items.join(", ")}]`),
    fc
      .array(fc.tuple(tie("expression"), tie("expression")), { maxLength: 3 })
      .map((items) => `{${items.map((pair) => pair.join(": ")).join(", ")}}`),
    fc
      .tuple(
        fc.constantFrom(
          "list",
          "sorted",
          "range",
          "len",
          "str",
          "int",
          "dict",
          "helper",
          "getattr",
          "Input",
          "max",
          "zip",
          "Kind",
        ),
        tie("expression"),
      )
      .map(([f, x]) => `${f}(${x})`),
    fc
      .tuple(
        tie("expression"),
        fc.constantFrom(
          "keys()",
          "values()",
          "items()",
          "upper()",
          "value",
          "name",
          "format(3)",
          "split(',')",
          "get('a')",
        ),
      )
      .map((parts) => `(${parts[0]}).${parts[1]}`),
    fc.tuple(tie("expression"), tie("expression")).map(([x, y]) => `[i for i in ${x} if ${y}]`),
    fc.tuple(tie("expression"), tie("expression")).map(([x, y]) => `(${x})[${y}]`),
    fc
      .tuple(tie("expression"), tie("expression"), tie("expression"))
      .map(([x, y, z]) => `(${x} if ${y} else ${z})`),
  ),
}));

const { annotation } = fc.letrec<{ annotation: string }>((tie) => ({
  annotation: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.constantFrom(
      "int",
      "str",
      "float",
      "bool",
      "Path",
      "Secret",
      "dict",
      "list",
      "Any",
      "None",
      "Kind",
      "Result",
      "Alias",
      "np.ndarray",
      "pkg.Model",
      '"Result"',
      "3",
      "x.y.z",
    ),
    fc
      .tuple(
        fc.constantFrom(
          "List",
          "list",
          "Optional",
          "Iterator",
          "ConcatenateIterator",
          "tp.List",
          "Union",
          "dict",
          "Tuple",
          "Annotated",
        ),
        fc.array(tie("annotation"), { maxLength: 3 }),
      )
      .map(([outer, inner]) => `${outer}[${inner.join(", ")}]`),
    fc.tuple(tie("annotation"), tie("annotation")).map((parts) => parts.join(" | ")),
    expression.map((value) => `Literal[${value}]`),
  ),
}));

const parameter = fc
  .record({
    name,
    annotation: fc.option(annotation),
    value: fc.option(
      fc.oneof(
        expression,
        fc
          .array(
            fc.tuple(
              fc.constantFrom(
                "default",
                "choices",
                "ge",
                "le",
                "description",
                "regex",
                "min_length",
                "gt",
                "accept",
                "default_factory",
              ),
              expression,
            ),
            { maxLength: 4 },
          )
          .map((given) => `Input(${given.map((pair) => pair.join("=")).join(", ")})`),
      ),
    ),
  })
  .map(
    ({ name: text, annotation: type, value }) =>
      `${text}${type === null ? "" : `: ${type}`}${value === null ? "" : ` = ${value}`}`,
  );

const predictor = fc
  .record({
    parameters: fc.array(parameter, { maxLength: 5 }),
    output: fc.option(annotation),
    constants: fc.array(
      fc.tuple(fc.constantFrom("X", "D", "Alias", "D['k']", "X, D"), expression),
      { maxLength: 4 },
    ),
    decorator: fc.constantFrom(
      "",
      "    @cog.streaming\n",
      "    @cog.concurrent(max=X)\n",
      '    @cog.input("a", type=X, default=D)\n',
    ),
    method: fc.constantFrom("run", "predict", "async def run", "train"),
    base: fc.constantFrom("BaseRunner", "BasePredictor", "pkg.Base", "Predictor", "Result", ""),
  })
  .map(
    ({ parameters, output, constants, decorator, method, base }) => `\
import cog, typing as tp, numpy as np, pkg, enum
from typing import *
from cog import *
from other import D as E, missing
${constants.map(([left, right]) => `${left} = ${right}`).join("\n")}
class Kind(str, enum.Enum):
    A = X
    B = enum.auto()
class Result(BaseModel):
    kind: Kind
    again: "Result" = D
def helper(a, b=3):
    if a: return Input(default=a)
    return helper(b)
class Predictor(${base}):
${decorator}    ${method.includes("def") ? method : `def ${method}`}(self, ${parameters.join(", ")})${output === null ? "" : ` -> ${output}`}: ...
def train(${parameters.join(", ")}) -> Result: ...
`,
  );

const options = { seed, numRuns: cases, endOnFailure: true };

it("of Python's own words is read", { timeout: timeoutMs }, async () => {
  await fc.assert(
    fc.asyncProperty(predictor, expression, async (source, other) => {
      await check(
        { "predict.py": source, "other.py": `from predict import *\nD = ${other}\n` },
        "Predictor",
      );
    }),
    options,
  );
});

const samples = ["every-type", "every-output", "old-habits"].map((folder) =>
  readFileSync(join(import.meta.dirname, "fixtures", folder, "predict.py"), "utf8"),
);

const pieces = fc.oneof(
  fc.constantFrom(
    "(",
    ")",
    "[",
    "]",
    "{",
    "\n",
    "    ",
    '"',
    '"""',
    "'",
    "\\",
    ":",
    ",",
    "=",
    "*",
    "@",
    "#",
    "\t",
    "\r\n",
    "\u0000",
    "\uFEFF",
    "lambda: ",
    "async ",
    "…",
  ),
  fc.string({ unit: "binary", maxLength: 8 }),
);

it("that was cut and pasted wrongly is read", { timeout: timeoutMs }, async () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 40 }), pieces), {
    minLength: 1,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...samples), changes, async (sample, list) => {
      const source = list.reduce((text, [at, length, piece]) => {
        const start = at % (text.length + 1);
        return text.slice(0, start) + piece + text.slice(start + length);
      }, sample);
      await check({ "predict.py": source }, "Predictor");
    }),
    options,
  );
});

it.each([
  [
    "brackets",
    `X = ${"[".repeat(20_000)}${"]".repeat(20_000)}\ndef Predictor(a: str = X) -> str: ...\n`,
  ],
  ["types", `def Predictor(a: ${"List[".repeat(20_000)}int${"]".repeat(20_000)}) -> str: ...\n`],
  ["sums", `X = ${"1 + ".repeat(20_000)}1\ndef Predictor(a: int = X) -> str: ...\n`],
  ["attributes", `def Predictor(a: int = x${".x".repeat(20_000)}) -> str: ...\n`],
  [
    "constants",
    `${Array.from({ length: 5_000 }, (_, index) => `X${index + 1} = X${index}\n`).join("")}X0 = 1\ndef Predictor(a: int = X5000) -> str: ...\n`,
  ],
  [
    "calls",
    `${Array.from({ length: 5_000 }, (_, index) => `def f${index + 1}(): return f${index}()\n`).join("")}def f0(): return 1\ndef Predictor(a: int = f5000()) -> str: ...\n`,
  ],
])("that nests %s deeper than any stack is read", async (_kind, source) => {
  await check({ "predict.py": source }, "Predictor");
});

it("is told how long the slowest took, in a long look", () => {
  if (process.env["FUZZ_CASES"] !== undefined)
    console.log(`slowest case: ${Math.round(slowestMs)} ms`);
  expect(slowestMs).toBeGreaterThan(0);
});
