import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findModelDirectory, loadConfig, renderProblems } from "../../../../builder/index.ts";
import { configOf, problemsOf, writeRepo } from "../repo.ts";

/** The smallest cog.yaml without a problem, for tests about one more key. */
const valid = 'build:\n  python_version: "3.11"\nrun: predict.py:Predictor\n';

test("every field arrives in the config as the author wrote it", async () => {
  const config = await configOf(
    [
      "build:",
      "  gpu: true",
      "  cuda: 12.10",
      "  python_version: 3.10",
      "  sdk_version: 0.22.0",
      "  system_packages: [ffmpeg, libgl1 libglib2.0-0, ffmpeg]",
      "  python_packages:",
      `    - "numpy==1.26.4; python_version >= '3.8'"`,
      "  run:",
      "    - echo one",
      "    - command: echo two",
      "      mounts: [{type: secret, id: token, target: /run/secrets/token}]",
      "  pre_install: [echo three]",
      "image: example.com/me/model",
      "predict: predict.py:Predictor",
      "train: predict.py:train",
      "concurrency: {max: 4}",
      "environment: [HF_HOME=/models, EMPTY=, EQUALS=a=b c]",
    ].join("\n"),
  );
  const { lines, ...rest } = config;
  expect(rest).toEqual({
    file: "cog.yaml",
    pythonVersion: "3.10",
    gpu: true,
    cuda: "12.10",
    sdkVersion: "0.22.0",
    systemPackages: ["ffmpeg", "libgl1", "libglib2.0-0"],
    requirements: {
      lines: ["numpy==1.26.4; python_version >= '3.8'"],
      files: [],
      folders: [],
      items: [
        {
          text: "numpy==1.26.4; python_version >= '3.8'",
          file: "cog.yaml",
          line: 8,
          key: "build.python_packages[0]",
        },
      ],
    },
    run: [
      { command: "echo one", secrets: [], key: "build.run[0]" },
      {
        command: "echo two",
        secrets: [{ id: "token", target: "/run/secrets/token" }],
        key: "build.run[1]",
      },
      { command: "echo three", secrets: [], key: "build.pre_install[0]" },
    ],
    image: "example.com/me/model",
    predictor: "predict.py:Predictor",
    trainer: "predict.py:train",
    concurrencyMax: 4,
    environment: { HF_HOME: "/models", EMPTY: "", EQUALS: "a=b c" },
    weights: [],
  });
  expect(lines["build.run[1]"]).toBe(11);
});

test("a valid file has no problems, so that a warning always means something", async () => {
  expect(await problemsOf(valid)).toEqual([]);
});

test("a typo is named with its line and the key that was meant", async () => {
  const problems = await problemsOf(
    'biuld: {}\nbuild:\n  python_version: "3.11"\n  pyhton_packages: [numpy]\npredictor: predict.py:P\nrun: predict.py:P\n',
  );
  expect(renderProblems(problems)).toEqual([
    "cog.yaml:1 biuld: warning: unknown key, ignored; try: did you mean build?",
    "cog.yaml:4 build.pyhton_packages: warning: unknown key, ignored; try: did you mean python_packages?",
    "cog.yaml:5 predictor: warning: unknown key, ignored; try: did you mean predict?",
  ]);
});

test("a key at the wrong level is sent to the right one", async () => {
  const problems = await problemsOf(`${valid}gpu: true\n`);
  expect(renderProblems(problems)).toEqual([
    "cog.yaml:4 gpu: warning: unknown key, ignored; try: move it under build:",
  ]);
});

test("keys of older Cog versions load, with what became of them", async () => {
  const problems = await problemsOf(
    'build:\n  python_version: "3.11"\n  fast: true\n  pre_install: [echo]\n  python_packages: [six]\npredict: predict.py:P\n',
  );
  expect(
    problems.map(({ line, key, severity, message }) => [line, key, severity, message]),
  ).toEqual([
    [3, "build.fast", "warning", "unknown key, ignored"],
    [4, "build.pre_install", "warning", "deprecated"],
    [5, "build.python_packages", "warning", "deprecated"],
    [6, "predict", "warning", "deprecated"],
  ]);
});

test("all errors of a file are reported at once, in its order", async () => {
  const problems = await problemsOf(
    [
      "build:",
      "  python_version: 3",
      '  gpu: "maybe"',
      "  python_packages: numpy",
      "  run: [{cmd: x}]",
      "run: [predict.py:Predictor]",
      "concurrency: 32",
    ].join("\n"),
  );
  expect(renderProblems(problems.filter(({ severity }) => severity === "error"))).toEqual([
    'cog.yaml:3 build.gpu: expected true or false, found "maybe"; try: write gpu: true or gpu: false',
    'cog.yaml:4 build.python_packages: expected a list, found "numpy"; try: write each package on a line of its own, after `- `',
    "cog.yaml:5 build.run[0]: expected text, found a mapping; try: write one command, in quotes when it holds `: ` or ` #`",
    "cog.yaml:6 run: expected text, found a list; try: write run: predict.py:Predictor; commands of the build go under build.run",
    "cog.yaml:7 concurrency: expected a mapping, found 32; try: write concurrency: {max: 4}",
  ]);
});

test.each([
  [
    "version without a minor",
    "build: {python_version: 3}",
    "build.python_version",
    "expected a version",
  ],
  ["Python 2", "build: {python_version: 2.7}", "build.python_version", "not supported"],
  [
    "two requirement sources",
    "build: {python_packages: [a], python_requirements: predict.py}",
    "build.python_packages",
    "exclude each other",
  ],
  [
    "missing requirements",
    "build: {python_requirements: req.txt}",
    "build.python_requirements",
    "does not exist",
  ],
  [
    "requirements outside",
    "build: {python_requirements: ../req.txt}",
    "build.python_requirements",
    "outside",
  ],
  [
    "shell in a package",
    "build: {system_packages: ['a;b']}",
    "build.system_packages[0]",
    "not a package name",
  ],
  ["a cuda name", "build: {gpu: true, cuda: latest}", "build.cuda", "expected a version"],
  ["a line break", 'build: {run: ["a\\nb"]}', "build.run[0]", "line break"],
  ["an empty command", 'build: {run: [""]}', "build.run[0]", "empty command"],
  [
    "a cache mount",
    "build: {run: [{command: a, mounts: [{type: cache, id: a, target: /a}]}]}",
    "build.run[0].mounts[0].type",
    "expected secret",
  ],
  [
    "a relative secret",
    "build: {run: [{command: a, mounts: [{type: secret, id: a, target: b}]}]}",
    "build.run[0].mounts[0].target",
    "absolute",
  ],
  ["an old cog", "build: {sdk_version: 0.9.4}", "build.sdk_version", "0.17.0 or newer"],
  ["both run and predict", "run: a.py:A\npredict: a.py:A", "predict", "exclude each other"],
  ["a dotted reference", "run: predict.Predictor", "run", "expected FILE.py:NAME"],
  ["a file outside", "run: ../predict.py:Predictor", "run", "outside"],
  ["a number for build", "build: 3", "build", "expected a mapping, found 3"],
  ["no concurrency", "concurrency: {max: 0}", "concurrency.max", "1 or more"],
  ["half a slot", "concurrency: {max: 1.5}", "concurrency.max", "whole number"],
  ["no name", "environment: [oops]", "environment[0]", "expected NAME=value"],
  ["a reserved name", "environment: [CUDA_HOME=/x]", "environment[0]", "reserved"],
  ["a repeated name", "environment: [A=1, A=2]", "environment[1]", "twice"],
  ["weights without model", "weights: [{name: a, target: /a}]", "weights", "weights needs model"],
  ["an upper-case image", "image: Me/Model", "image", "not an image name"],
])("%s is an error at its key", async (_name, cogYaml, key, message) => {
  const errors = (await problemsOf(cogYaml)).filter((problem) => problem.severity === "error");
  expect(errors).toEqual([
    expect.objectContaining({ key, message: expect.stringContaining(message) }),
  ]);
  expect(errors[0]?.line).toBeGreaterThan(0);
});

test.each([
  ["a docstring", '"""my model"""\nbuild: {}\n', 1],
  ["a missing space", "build:1\n  gpu: true\n", 1],
  ["a duplicated key", "run: a.py:A\nbuild: {}\nbuild: {}\n", 3],
  ["an open quote", 'build:\n  run:\n    - "echo\n', 3],
  ["a list", "- build\n", 1],
])("%s is refused with its line, not a stack trace", async (_name, cogYaml, line) => {
  const directory = writeRepo({ "cog.yaml": cogYaml });
  const { config, problems } = await loadConfig({ directory });
  expect(config).toBeUndefined();
  expect(problems).toEqual([expect.objectContaining({ severity: "error", file: "cog.yaml" })]);
  expect(problems[0]?.line).toBe(line);
});

test("bytes that are no text, and alias bombs, are refused", async () => {
  const binary = writeRepo({ "cog.yaml": Buffer.from([0xff, 0xfe, 0x00, 0x80]) });
  expect((await loadConfig({ directory: binary })).problems).toEqual([
    expect.objectContaining({ severity: "error", message: "not UTF-8 text" }),
  ]);
  const levels = Array.from({ length: 9 }, (_, index) => {
    const items = index === 0 ? "x" : `*a${index - 1}`;
    return `k${index}: &a${index} [${Array(10).fill(items).join(", ")}]`;
  });
  const bomb = writeRepo({ "cog.yaml": levels.join("\n") });
  expect((await loadConfig({ directory: bomb })).problems).toEqual([
    expect.objectContaining({ severity: "error", message: expect.stringContaining("too many") }),
  ]);
});

test("an older Python loads on the oldest that cog has, and says so", async () => {
  const directory = writeRepo({
    "cog.yaml": 'build: {python_version: "3.8"}\nrun: p.py:P',
    "p.py": "",
  });
  const { config, problems } = await loadConfig({ directory });
  expect(config).toMatchObject({ pythonVersion: "3.10", pythonVersionRequested: "3.8" });
  expect(renderProblems(problems)[0]).toMatch(
    /^cog.yaml:1 build.python_version: warning: minimum supported/,
  );
});

test("a file without python_version gets one and a warning", async () => {
  const directory = writeRepo({ "cog.yaml": "build: {gpu: false}\nrun: p.py:P", "p.py": "" });
  const { config, problems } = await loadConfig({ directory });
  expect(config?.pythonVersion).toBe("3.11");
  expect(problems).toEqual([
    expect.objectContaining({ severity: "warning", key: "build", line: 1 }),
  ]);
});

test("package names that the distribution renamed still install", async () => {
  const config = await configOf(
    "build: {python_version: '3.11', system_packages: [libgl1-mesa-glx, 'libtag1-dev>=1.9']}\nrun: predict.py:P",
  );
  expect(config.systemPackages).toEqual(["libgl1", "libtag1-dev"]);
});

test("YAML 1.1 flags, anchors, merge keys, CRLF and comments load as in Cog", async () => {
  const config = await configOf(
    "x: &common\r\n  gpu: yes # نعم\r\nbuild:\r\n  <<: *common\r\n  python_version: '3.12'\r\nrun: predict.py:P\r\n",
  );
  expect(config).toMatchObject({ gpu: true, pythonVersion: "3.12" });
});

test("the 2021 name of the predictor is understood", async () => {
  const config = await configOf("build: {python_version: '3.11'}\nmodel: predict.py:Model\n");
  expect(config.predictor).toBe("predict.py:Model");
  expect(config.model).toBeUndefined();
});

test("a folder without cog.yaml says how to get one", async () => {
  await expect(loadConfig({ directory: writeRepo({}) })).rejects.toMatchObject({
    code: "CONFIG_NOT_FOUND",
    hint: expect.stringContaining("byom init"),
  });
  await expect(loadConfig({ directory: writeRepo({ "cog.yml": valid }) })).rejects.toMatchObject({
    hint: "rename cog.yml to cog.yaml",
  });
});

test("a cog.yaml that is a folder is a read error", async () => {
  const directory = writeRepo({});
  mkdirSync(join(directory, "cog.yaml"));
  await expect(loadConfig({ directory })).rejects.toMatchObject({ code: "REPOSITORY_UNREADABLE" });
});

test("the model repo is found from a folder inside it", async () => {
  const directory = writeRepo({ "cog.yaml": valid, "deep/er/x": "" });
  expect(await findModelDirectory({ start: join(directory, "deep/er") })).toBe(directory);
});

test("an aborted load throws the caller's reason", async () => {
  const directory = writeRepo({ "cog.yaml": valid });
  const signal = AbortSignal.abort(new Error("stopped"));
  await expect(loadConfig({ directory, signal })).rejects.toThrow("stopped");
});
