// Source and image must say the same of a model: a form that changes after the build would refuse what it took before.
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createSchema, readImageAnswer } from "../../../../builder/python-schema/index.ts";
import { installCog } from "./cog-install.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const script = await readFile(join(root, "builder/python-schema/ask-image.py"), "utf8");
const cogVersion = "0.23.1";

/** Importing a model takes tenths of a second; more is a hang. */
const askTimeoutMs = 60_000;

const folder = await mkdtemp(join(tmpdir(), "byom-answer-"));
const reason = await installCog(folder);
if (reason !== undefined) console.log(`skipped: cog cannot be installed here: ${reason}`);

interface Model {
  readonly directory: string;
  readonly predictor: string;
  readonly trainer?: string;
}

/** Templates, and every fixture with a cog.yaml. */
async function listModels(): Promise<readonly Model[]> {
  const directories = ["templates", "test/fixtures"].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => join(root, parent, name)),
  );
  const found = directories
    .filter((directory) => existsSync(join(directory, "cog.yaml")))
    .map(async (directory) => {
      const text = await readFile(join(directory, "cog.yaml"), "utf8");
      const config = parse(text) as { run?: string; predict?: string; train?: string };
      const predictor = config.run ?? config.predict ?? "";
      return { directory, predictor, ...(config.train !== undefined && { trainer: config.train }) };
    });
  return await Promise.all(found);
}

async function ask({ directory, predictor, trainer }: Model): Promise<string> {
  const { stdout } = await promisify(execFile)(
    join(folder, "venv/bin/python"),
    ["-c", script, predictor, trainer ?? "-"],
    {
      cwd: directory,
      timeout: askTimeoutMs,
      env: {
        PATH: "/usr/bin:/bin",
        PYTHONDONTWRITEBYTECODE: "1",
        PYTHONPATH: [
          join(root, "test/integration/builder/python-schema/stand-ins"),
          join(root, "builder/python-helper"),
        ].join(":"),
      },
    },
  );
  return stdout;
}

const models = await listModels();

describe.skipIf(reason !== undefined)("what a running Python says", () => {
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const unitFixture = (name: string): string =>
    join(root, "test/unit/builder/python-schema/fixtures", name);

  it.each([
    ...models,
    { directory: unitFixture("every-type"), predictor: "predict.py:Predictor" },
    { directory: unitFixture("every-output"), predictor: "predict.py:Record" },
    { directory: unitFixture("every-output"), predictor: "predict.py:Pieces" },
    { directory: unitFixture("every-output"), predictor: "predict.py:Plain" },
    {
      directory: unitFixture("every-output"),
      predictor: "predict.py:function",
      trainer: "predict.py:train",
    },
  ])("of $directory $predictor is what its source says", async (model) => {
    const { document, problems } = await createSchema({ ...model, cogVersion });
    expect(problems.filter(({ severity }) => severity === "error")).toEqual([]);
    const answer = readImageAnswer(await ask(model), cogVersion);
    expect(answer.failures).toEqual([]);
    expect(answer.document).toEqual(document);
  });

  it("is the error itself where the model cannot be imported", async () => {
    const model = { directory: unitFixture("every-output"), predictor: "predict.py:Nothing" };
    const answer = readImageAnswer(await ask(model), cogVersion);
    expect(answer).toEqual({ failures: [expect.stringContaining("AttributeError")] });
  });

  it("has the values that no reading of the source gives", async () => {
    const model = { directory: unitFixture("every-output"), predictor: "predict.py:late" };
    const read = await createSchema({ ...model, cogVersion });
    expect(read.questions).toEqual(["parameter 'voice'", "parameter 'speed'"]);
    const { document } = readImageAnswer(await ask(model), cogVersion);
    expect(document).toMatchObject({
      components: {
        schemas: {
          Input: { properties: { voice: { default: "load" }, speed: { default: 2, maximum: 4 } } },
          voice: { enum: ["load", "loads"] },
        },
      },
    });
  });
});
