import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { loadConfig, planRepairs, writeRepairs } from "../../../../builder/index.ts";
import { commentsOf } from "../../../../builder/repair/yaml-text.ts";
import { writeRepo } from "../repo.ts";

type Files = Readonly<Record<string, string>>;

const runner =
  "from cog import BaseRunner\n\nclass P(BaseRunner):\n    def run(self, a: str) -> str: ...\n";

/** The repo's files after every repair; the second run must find nothing. */
async function fix(
  files: Files,
): Promise<{ readonly texts: Files; readonly actions: readonly string[] }> {
  const directory = writeRepo({ "predict.py": runner, ...files });
  const plan = await planRepairs({ directory });
  await writeRepairs({ directory, plan });
  expect((await planRepairs({ directory })).repairs).toEqual([]);
  const paths = [...new Set([...Object.keys(files), ...plan.files.map(({ path }) => path)])];
  const texts = Object.fromEntries(
    paths.map((path) => [path, readFileSync(join(directory, path), "utf8")]),
  );
  return { texts, actions: plan.repairs.map(({ line, action }) => `${line}: ${action}`) };
}

async function fixConfig(text: string, files: Files = {}): Promise<string> {
  return (await fix({ ...files, "cog.yaml": text })).texts["cog.yaml"] ?? "";
}

const build = 'build: # the build\n  python_version: "3.11"\n';
const run = "run: predict.py:P # the model\n";

test.each([
  ["an old name", `${build}predict: predict.py:P # the model\n`, `${build}${run}`],
  ["the 2021 name", `${build}model: "predict.py:P"\n`, `${build}run: "predict.py:P"\n`],
  [
    "the 2021 build",
    `environment: # all of it\n  python_version: "3.11"\n${run}`,
    `build: # all of it\n  python_version: "3.11"\n${run}`,
  ],
  [
    "a misspelled key",
    `biuld:\n  python_version: "3.11" # new\n${run}`,
    `build:\n  python_version: "3.11" # new\n${run}`,
  ],
  [
    "a misspelled key below",
    `${build}  systen_packages: [curl]\n${run}`,
    `${build}  system_packages: [curl]\n${run}`,
  ],
  [
    "a key that nothing reads",
    `${build}  fast: true # quick\n${run}tests:\n  - one\n  # why\n  - two\n`,
    `${build}  # fast: true # quick\n${run}# tests:\n  # - one\n  # # why\n  # - two\n`,
  ],
  [
    "an unquoted version",
    `build:\n  python_version: 3.10 # old\n${run}`,
    `build:\n  python_version: "3.10" # old\n${run}`,
  ],
  [
    "a Python that is too old",
    `build:\n  python_version: '3.8' # old\n${run}`,
    `build:\n  python_version: "3.10" # old\n${run}`,
  ],
  [
    "no Python version",
    `build:\n    # cards\n    gpu: true\n${run}`,
    `build:\n    # cards\n    python_version: "3.11"\n    gpu: true\n${run}`,
  ],
  ["no build", `# mine\n${run}`, `# mine\nbuild:\n  python_version: "3.11"\n${run}`],
  [
    "a flag in quotes",
    `${build}  gpu: "true" # card\n${run}`,
    `${build}  gpu: true # card\n${run}`,
  ],
  [
    "a bare number",
    `${build}${run}concurrency: 32 # many\n`,
    `${build}${run}concurrency: {max: 32} # many\n`,
  ],
  [
    "packages that Debian has no more",
    `${build}  system_packages:\n    - "libgl1-mesa-glx" # for cv2\n    - libtag1-dev>=1.9\n${run}`,
    `${build}  system_packages:\n    - libgl1 # for cv2\n    - libtag1-dev\n${run}`,
  ],
  ["a dotted reference", `${build}run: predict.P # dots\n`, `${build}run: predict.py:P # dots\n`],
  [
    "a command that became a mapping",
    `${build}  run:\n    - echo "WARNING: it's on" # say\n    - true\n${run}`
      .replace('"WARNING', "WARNING")
      .replace('on"', "on"),
    `${build}  run:\n    - "echo WARNING: it's on" # say\n    - true\n${run}`,
  ],
  [
    "variables as a mapping",
    `${build}environment:\n  # where\n  HF_HOME: /models # here\n  EMPTY:\n  TEXT: "a b"\n${run}`,
    `${build}environment:\n  # where\n  - HF_HOME=/models # here\n  - EMPTY=\n  - 'TEXT=a b'\n${run}`,
  ],
  [
    "commands before the install",
    `${build}  pre_install:\n      # first\n      - echo a # one\n      - echo b\n  run:\n    - echo c\n${run}`,
    `${build}  run:\n    - echo c\n    # first\n    - echo a # one\n    - echo b\n${run}`,
  ],
  [
    "commands before the install, alone",
    `${build}  pre_install:\n    - echo a\n${run}`,
    `${build}  run:\n    - echo a\n${run}`,
  ],
])(
  "%s is mended, comments and layout stay, and a second run finds nothing",
  async (_, before, after) => {
    expect(await fixConfig(before)).toBe(after);
  },
);

test("line breaks of Windows and a file without a last one stay as they are", async () => {
  const before =
    '# why\r\nbuild:\r\n  python_version: "3.11"\r\n  pre_install:\r\n    - echo a\r\n  run:\r\n    - echo b\r\npredict: predict.py:P';
  expect(await fixConfig(before)).toBe(
    '# why\r\nbuild:\r\n  python_version: "3.11"\r\n  run:\r\n    - echo b\r\n    - echo a\r\nrun: predict.py:P',
  );
});

test("python_packages move to a requirements.txt, with their comments", async () => {
  const { texts } = await fix({
    "cog.yaml": `${build}  python_packages: # from pip\n    # the framework\n    - "torch==2.5.1" # pinned\n\n    - numpy\n    - x # last\n  # the end\n${run}`,
  });
  expect(texts["requirements.txt"]).toBe(
    "# from pip\n# the framework\ntorch==2.5.1  # pinned\n\nnumpy\nx  # last\n",
  );
  expect(texts["cog.yaml"]).toBe(
    `${build}  python_requirements: requirements.txt\n  # the end\n${run}`,
  );
});

test("a requirements.txt that is there already is never written over", async () => {
  const text = `${build}  python_packages: [numpy]\n${run}`.replace("[numpy]", "\n    - numpy");
  const files = { "requirements.txt": "scipy\n", "cog.yaml": text };
  expect((await fix(files)).texts).toEqual(files);
});

const cogYaml = `${build}run: predict.py:P\n`;

test("the names of older Cogs in the predictor are replaced, wherever they stand", async () => {
  const before = [
    "from cog import BasePredictor, Input  # api",
    "",
    "class P(BasePredictor):",
    '    """predict things"""',
    "    def predict(self, a: str = Input(default='predict')) -> str:",
    "        return self.helper(a)",
    "    def helper(self, a):",
    "        return self.predict(a)  # predict again",
    "",
  ].join("\n");
  const { texts } = await fix({ "cog.yaml": cogYaml, "predict.py": before });
  expect(texts["predict.py"]).toBe(
    before
      .replaceAll("BasePredictor", "BaseRunner")
      .replace("def predict", "def run")
      .replace("self.predict(", "self.run("),
  );
});

test.each([
  [
    "a method run of its own",
    "from cog import BasePredictor\nclass P(BasePredictor):\n    def predict(self, a: str) -> str: ...\n    def run(self): ...\n",
  ],
  [
    "a base by another name",
    "from cog import BasePredictor as B\nclass P(B):\n    def predict(self, a: str) -> str: ...\n",
  ],
  [
    "a file that is no Python",
    "from cog import BasePredictor\nclass P(BasePredictor:\n    def predict(self\n",
  ],
  [
    "calls on the class",
    "from cog import BasePredictor\nclass P(BasePredictor):\n    def predict(self, a: str) -> str: ...\nP.predict(None)\n",
  ],
])("a predictor with %s is left alone", async (_, text) => {
  expect((await fix({ "cog.yaml": cogYaml, "predict.py": text })).texts["predict.py"]).toBe(text);
});

test("an import that Cog no longer has goes, with the filter that it was for", async () => {
  const rest = runner.replace("from cog import BaseRunner\n", "");
  const { texts } = await fix({
    "cog.yaml": cogYaml,
    "predict.py": `import warnings\nfrom cog import BaseRunner, ExperimentalFeatureWarning\nwarnings.filterwarnings("ignore", category=ExperimentalFeatureWarning)\n${rest}`,
  });
  expect(texts["predict.py"]).toBe(`import warnings\nfrom cog import BaseRunner\n${rest}`);
  const alone = await fix({
    "cog.yaml": cogYaml,
    "predict.py": `from cog.types import ExperimentalFeatureWarning\n${runner}`,
  });
  expect(alone.texts["predict.py"]).toBe(runner);
});

test("everything at once, on an old repo", async () => {
  const { texts, actions } = await fix({
    "cog.yaml":
      "environment:\n  # cards\n  python_version: 3.8\n  python_packages:\n    - torch==1.8.1\n  system_packages:\n    - libgl1-mesa-glx\nmodel: predict.py:P\n",
  });
  expect(texts["cog.yaml"]).toBe(
    'build:\n  # cards\n  python_version: "3.10"\n  python_requirements: requirements.txt\n  system_packages:\n    - libgl1\nrun: predict.py:P\n',
  );
  expect(actions).toHaveLength(5);
});

test("whatever a cog.yaml holds: no exception, no comment lost, and what was valid stays valid", async () => {
  const line = fc.constantFrom(
    ..."build:|  gpu: true|  gpu: 'yes'|  python_version: 3.8|  python_version: 3.10 # v|  python_packages:|    - torch # t|    # c|    - a: b|  system_packages:|    - libgl1-mesa-glx|  run:|    - echo x: y|    - command: z|  pre_install:|    - echo b|  fast: true|predict: predict.py:P # p|model: predict.py:P|run: predict.P|concurrency: 3|environment:|  A: b # e|  B:|- x|# top||{a: 1}|  biuld: 1|tests: &a [1]|x: *a|\t- y|'|\"|: #".split(
      "|",
    ),
  );
  const text = fc
    .tuple(fc.array(line, { maxLength: 25 }), fc.constantFrom("\n", "\r\n"))
    .map(([lines, lineBreak]) => lines.join(lineBreak));
  const directory = writeRepo({ "predict.py": runner });
  await fc.assert(
    fc.asyncProperty(fc.oneof(text, fc.string({ unit: "binary" })), async (written) => {
      writeFileSync(join(directory, "cog.yaml"), written);
      const isValid = (await loadConfig({ directory })).config !== undefined;
      const { files, repairs } = await planRepairs({ directory });
      const all = files.map(({ after }) => after).join("\n");
      if (files.some(({ path }) => path === "cog.yaml")) {
        for (const comment of commentsOf(written)) expect(all).toContain(comment);
      }
      for (const repair of repairs) expect(repair.line).toBeGreaterThanOrEqual(1);
      const after = files.find(({ path }) => path === "cog.yaml")?.after ?? written;
      const requirements = files.find(({ path }) => path === "requirements.txt")?.after;
      const other = writeRepo({
        "predict.py": runner,
        "cog.yaml": after,
        ...(requirements !== undefined && { "requirements.txt": requirements }),
      });
      if (isValid) expect((await loadConfig({ directory: other })).config).toBeDefined();
    }),
    { numRuns: Number(process.env["BYOM_PROPERTY_RUNS"] ?? 300) },
  );
}, 600_000);
