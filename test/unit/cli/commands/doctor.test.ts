// Doctor writes into somebody's repo: without --fix it must only show, and a script must see from the exit whether the
// repo would build.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createFlags } from "../../../../cli/command.ts";
import { doctor } from "../../../../cli/commands/doctor.ts";
import { captureOutput, type CapturedOutput } from "../captured-output.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

const old = 'build:\n  python_version: "3.11"\npredict: predict.py:P # the model\n';
const predictor =
  "from cog import BaseRunner\n\n\nclass P(BaseRunner):\n    def run(self, a: str) -> str: ...\n";

function repo(files: Readonly<Record<string, string>>): string {
  const directory = createTemporaryFolder();
  for (const [path, text] of Object.entries({ "predict.py": predictor, ...files })) {
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

async function run(
  directory: string,
  flags: Readonly<Record<string, unknown>> = {},
  isJson = false,
): Promise<CapturedOutput> {
  const captured = captureOutput({ isJson });
  const data = createTemporaryFolder();
  await doctor.run({
    positionals: [],
    flags: createFlags(flags),
    context: {
      environment: { DOCKER_HOST: "unix:///nonexistent/docker.sock" },
      directory,
      homeDirectory: data,
      isRoot: false,
      directories: { data, config: data, run: data },
      output: captured.output,
      isVerbose: false,
      signal: new AbortController().signal,
    },
  });
  return captured;
}

it("shows what it would change, and changes nothing", async () => {
  const directory = repo({ "cog.yaml": old });
  const captured = await run(directory);
  expect(captured.stderr()).toContain("cog.yaml:3 predict: deprecated; fix: rename it to run:");
  expect(captured.stderr()).toContain(
    [
      "--- a/cog.yaml",
      "+++ b/cog.yaml",
      "@@ -1,3 +1,3 @@",
      " build:",
      '   python_version: "3.11"',
      "-predict: predict.py:P # the model",
      "+run: predict.py:P # the model",
    ].join("\n"),
  );
  expect(captured.stdout()).toContain("1 can be mended (--fix)");
  expect(readFileSync(join(directory, "cog.yaml"), "utf8")).toBe(old);
});

it("mends with --fix, and has nothing to say the second time", async () => {
  const directory = repo({ "cog.yaml": old });
  expect((await run(directory, { fix: true })).stdout()).toContain("1 mended in cog.yaml");
  expect(readFileSync(join(directory, "cog.yaml"), "utf8")).toBe(old.replace("predict:", "run:"));
  const again = await run(directory, { fix: true });
  expect(again.stderr()).toBe("no issues found\n");
});

it("prints repairs and differences as one document", async () => {
  const captured = await run(repo({ "cog.yaml": old }), {}, true);
  expect(JSON.parse(captured.stdout())).toMatchObject({
    isFixed: false,
    repairs: [{ file: "cog.yaml", line: 3, key: "predict", action: "rename it to run:" }],
    diffs: [{ path: "cog.yaml", diff: expect.stringContaining("+run: predict.py:P") }],
    problems: [{ severity: "warning", key: "predict" }],
  });
});

it("fails where the repo would not build, with everything in the error", async () => {
  const broken = repo({ "cog.yaml": "build: [\n" });
  await expect(run(broken, { fix: true })).rejects.toMatchObject({
    code: "MODEL_REPO_HAS_ERRORS",
    details: { problems: [{ severity: "error", file: "cog.yaml", line: 1 }] },
  });
  const gone = repo({
    "cog.yaml": old,
    "predict.py": `from cog.types import ExperimentalFeatureWarning\n${predictor}`,
  });
  await expect(run(gone)).rejects.toMatchObject({
    hint: expect.stringContaining("--fix"),
    details: { repairs: [{}, { severity: "error", message: expect.stringContaining("removed") }] },
  });
  await run(gone, { fix: true });
  expect(readFileSync(join(gone, "predict.py"), "utf8")).toBe(predictor);
});

it("speaks of the machine alone where there is no model repo", async () => {
  const captured = await run(createTemporaryFolder());
  expect(captured.stdout()).not.toContain("model repo");
});
