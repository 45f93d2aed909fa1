// The image's answer comes from a stranger's code: whatever it prints, a build goes on with what the source says.
import { describe, expect, it } from "vitest";
import {
  createSchema,
  readImageAnswer,
  validateInput,
} from "../../../../builder/python-schema/index.ts";

const text = { kind: "str" };
const voice = {
  name: "voice",
  type: text,
  default: { kind: "value", value: "a" },
  choices: ["a", "b"],
};
const half = { inputs: [voice], output: text, isStreaming: false };

describe("an image's answer", () => {
  it("becomes the same document as the source's", async () => {
    const source =
      'from cog import Input\ndef run(voice: str = Input(default="a", choices=["a", "b"])) -> str: ...\n';
    const readFile = async (path: string): Promise<string | undefined> =>
      path === "run.py" ? source : undefined;
    const read = await createSchema({
      directory: "/none",
      predictor: "run.py:run",
      readFile,
      cogVersion: "1.2.3",
    });
    const { document, failures } = readImageAnswer(JSON.stringify({ predict: half }), "1.2.3");
    expect(failures).toEqual([]);
    expect(JSON.stringify(document)).toBe(JSON.stringify(read.document));
  });

  it.each([
    "",
    "loading weights…",
    "[]",
    '{"predict": {"inputs": 3}}',
    '{"predict": {"inputs": [{"name": "a", "type": {"kind": "tensor"}, "default": {"kind": "none"}}], "output": null, "isStreaming": false}}',
    `{"predict": {"inputs": [{"name": "a", "type": ${'{"kind": "list", "item": '.repeat(9_000)}{"kind": "str"}${"}".repeat(9_000)}, "default": {"kind": "none"}}], "output": null, "isStreaming": false}}`,
  ])("that is none (%#) is a failure, and no exception", (answer) => {
    expect(readImageAnswer(answer, "1.2.3")).toEqual({
      failures: ["the image printed something else than its inputs"],
    });
  });

  it("of one half does not hide what the source says of the other", () => {
    const answer = { predict: half, train: { error: "ImportError: no module named x" } };
    expect(readImageAnswer(JSON.stringify(answer), "1.2.3")).toEqual({
      failures: ["ImportError: no module named x"],
    });
  });
});

describe("a predictor of an installed package", () => {
  it.each([
    ["from some_package import Predictor\n"],
    ["import some_package\nclass Predictor(some_package.Base):\n    pass\n"],
  ])("%j is asked of the image, and takes any input until then", async (source) => {
    const readFile = async (path: string): Promise<string | undefined> =>
      path === "p.py" ? source : undefined;
    const read = await createSchema({ directory: "/none", predictor: "p.py:Predictor", readFile });
    expect(read.questions).toEqual(["all inputs and outputs"]);
    expect(read.problems).toMatchObject([{ severity: "warning", file: "p.py" }]);
    expect(validateInput({ document: read.document, input: { anything: 1 } })).toEqual([]);
  });

  it("is a plain mistake where the class inherits from cog alone", async () => {
    const source =
      "from cog import BaseRunner\nclass Runner(BaseRunner):\n    def setup(self): ...\n";
    const readFile = async (path: string): Promise<string | undefined> =>
      path === "p.py" ? source : undefined;
    const read = await createSchema({ directory: "/none", predictor: "p.py:Runner", readFile });
    expect(read.questions).toEqual([]);
    expect(read.problems).toMatchObject([{ severity: "error", line: 2 }]);
  });
});

describe("Cog's way of 2021", () => {
  const source = `
import cog
from pathlib import Path
class Model(cog.Predictor):
    def setup(self): ...
    @cog.input("image", type=Path, help="What to look at")
    @cog.input("scale", type=float, default=1.5, min=1, max=4)
    @cog.input("style", type=str, options=["a", "b"], default="a")
    def predict(self, image, scale, style): ...
`;
  it("is described, and told as it is written today", async () => {
    const readFile = async (path: string): Promise<string | undefined> =>
      path === "p.py" ? source : undefined;
    const read = await createSchema({ directory: "/none", predictor: "p.py:Model", readFile });
    expect(read.document).toMatchObject({
      components: {
        schemas: {
          Input: {
            required: ["image"],
            properties: {
              image: {
                type: "string",
                format: "uri",
                description: "What to look at",
                "x-order": 0,
              },
              scale: { type: "number", default: 1.5, minimum: 1, maximum: 4 },
              style: { default: "a" },
            },
          },
          style: { enum: ["a", "b"] },
        },
      },
    });
    const errors = read.problems.filter(({ severity }) => severity === "error");
    expect(errors).toMatchObject([{ file: "p.py", line: 6 }]);
    expect(errors[0]?.hint).toContain(
      'def predict(self, image: Path = Input(description="What to look at"), scale: float = Input(default=1.5, ge=1, le=4), style: str = Input(default="a", choices=["a", "b"]))',
    );
  });
});
