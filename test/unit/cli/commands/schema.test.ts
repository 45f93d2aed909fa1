// What an app developer types against: if it lies, their code compiles and the call is refused.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { createFlags } from "../../../../cli/command.ts";
import { schema } from "../../../../cli/commands/schema.ts";
import { captureOutput, type CapturedOutput } from "../captured-output.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

const config = 'build:\n  python_version: "3.11"\nrun: run.py:Runner\n';
const runner = `
from typing import Literal, Optional
from cog import BaseModel, BaseRunner, Input, Path

class Result(BaseModel):
    picture: Path
    score: Optional[float]

class Runner(BaseRunner):
    def run(
        self,
        image: Path = Input(description="What to look at"),
        size: Literal["small", "large"] = "small",
        names: list[str] = [],
        extra: Optional[dict] = None,
    ) -> Result: ...
`;

async function run(
  files: Readonly<Record<string, string>>,
  flags: Readonly<Record<string, unknown>> = {},
  isJson = false,
): Promise<CapturedOutput> {
  const directory = createTemporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  const captured = captureOutput({ isJson });
  await schema.run({
    positionals: [],
    flags: createFlags(flags),
    context: {
      environment: {},
      directory,
      homeDirectory: directory,
      isRoot: false,
      directories: { data: directory, config: directory, run: directory },
      output: captured.output,
      isVerbose: false,
      signal: new AbortController().signal,
    },
  });
  return captured;
}

it("prints the OpenAPI document, the same with and without --json", async () => {
  const files = { "cog.yaml": config, "run.py": runner };
  const document = JSON.parse((await run(files)).stdout()) as unknown;
  expect(document).toMatchObject({
    openapi: "3.0.2",
    components: { schemas: { Input: { required: ["image"] }, size: { enum: ["small", "large"] } } },
  });
  expect(JSON.parse((await run(files, {}, true)).stdout())).toEqual(document);
});

it("writes TypeScript that imports nothing: files as URLs, choices as literals, what may be left out", async () => {
  const captured = await run({ "cog.yaml": config, "run.py": runner }, { types: "ts" });
  expect(captured.stdout()).toBe(`\
// Written by \`byom schema --types ts\`; write it again when the model has changed.

/** A file: an http(s) URL, or a data: URI with its content. */
export type FileInput = string;

export interface Input {
  /** What to look at */
  readonly image: FileInput;
  readonly size?: "small" | "large";
  readonly names?: readonly (string)[];
  readonly extra?: Readonly<Record<string, unknown>> | null;
}

export type Output = { readonly picture: string; readonly score?: number | null };
`);
});

it("has types for training too, and for a model that takes nothing", async () => {
  const files = {
    "cog.yaml": `${config}train: train.py:train\n`,
    "run.py":
      "from cog import BaseRunner, ConcatenateIterator\nclass Runner(BaseRunner):\n    def run(self) -> ConcatenateIterator[str]: ...\n",
    "train.py":
      "from cog import BaseModel, Path\nclass TrainingOutput(BaseModel):\n    weights: Path\ndef train(data: Path, epochs: int = 3) -> TrainingOutput: ...\n",
  };
  const text = (await run(files, { types: "ts" })).stdout();
  expect(text).toContain("export type Input = Readonly<Record<string, never>>;");
  expect(text).toContain(
    "/** Pieces of one text, in order. */\nexport type Output = readonly (string)[];",
  );
  expect(text).toContain(
    "export interface TrainingInput {\n  readonly data: FileInput;\n  readonly epochs?: number;\n}",
  );
  expect(text).toContain("export type TrainingOutput = { readonly weights: string };");
});

it("says on stderr what only the built image knows, and keeps stdout parseable", async () => {
  const source =
    "import torch\nfrom cog import Input\ndef run(device: str = Input(default=torch.device())) -> str: ...\n";
  const captured = await run({ "cog.yaml": config.replace("Runner", "run"), "run.py": source });
  expect(captured.stderr()).toMatch(/run\.py:3.*parameter 'device'.*the built image is asked/);
  expect(JSON.parse(captured.stdout())).toMatchObject({ openapi: "3.0.2" });
});

it.each([
  [{ "cog.yaml": config }, {}, "CONFIG_INVALID"],
  [
    { "cog.yaml": config, "run.py": "class Runner:\n    def run(self, x) -> str: ...\n" },
    {},
    "CONFIG_INVALID",
  ],
  [{ "cog.yaml": 'build:\n  python_version: "3.11"\n' }, {}, "model_without_predictor"],
  [{}, {}, "CONFIG_NOT_FOUND"],
  [{ "cog.yaml": config, "run.py": runner }, { types: "rust" }, "usage"],
])("refuses %j with %j", async (files, flags, code) => {
  await expect(run(files as Record<string, string>, flags)).rejects.toMatchObject({ code });
});
