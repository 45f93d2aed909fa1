import { expect, test } from "vitest";
import { loadDeploySettings, renderProblems } from "../../../../builder/index.ts";
import { writeRepo } from "../repo.ts";

test("every setting arrives in its unit", async () => {
  const directory = writeRepo({
    "page.png": "",
    "chat.jinja": "",
    "byom.yaml": [
      "model: acme/ocr",
      "description: Reads pages",
      "task: image-to-text",
      'example: {input: {image: "@page.png", scale: 1.5, deep: true, tags: [a, 2]}}',
      'scaling: {idle_timeout: "60s", min: 0, max: 3, concurrency: 2}',
      "setup_timeout: 5m",
      "prediction_timeout: 1500ms",
      "memory: 4GiB",
      "cpus: 0.5",
      "snapshot: false",
      "gpus: [0, GPU-1]",
      "gpu_snapshot: off",
      "secrets: [HF_TOKEN, {name: LICENSE, setup: true}, {name: OTHER}]",
      "mapping: {inputs: {max_tokens: length}, output: data.text, chat_template: '@chat.jinja', template_variables: {eos_token: </s>}}",
      "modalities: [text, image]",
    ].join("\n"),
  });
  expect(await loadDeploySettings({ directory })).toMatchObject({
    problems: [],
    settings: {
      model: "acme/ocr",
      description: "Reads pages",
      task: "image-to-text",
      example: { input: { image: "@page.png", scale: 1.5, deep: true, tags: ["a", 2] } },
      scaling: { idleTimeoutMs: 60_000, min: 0, max: 3, concurrency: 2 },
      setupTimeoutMs: 300_000,
      predictionTimeoutMs: 1500,
      memoryBytes: 4 * 1024 ** 3,
      cpus: 0.5,
      snapshot: false,
      gpus: ["0", "GPU-1"],
      gpuSnapshot: false,
      secrets: [
        { name: "HF_TOKEN", scope: "run" },
        { name: "LICENSE", scope: "setup" },
        { name: "OTHER", scope: "run" },
      ],
      mapping: {
        inputs: { max_tokens: "length" },
        output: "data.text",
        chatTemplate: "@chat.jinja",
        templateVariables: { eos_token: "</s>" },
      },
      modalities: ["text", "image"],
    },
  });
});

test.each([
  ["always", "always"],
  ["true", true],
  ["off", false],
])("snapshot: %s", async (written, snapshot) => {
  const directory = writeRepo({ "byom.yaml": `snapshot: ${written}` });
  expect(await loadDeploySettings({ directory })).toMatchObject({
    settings: { snapshot },
    problems: [],
  });
});

test("a snapshot setting that is none says what it may be", async () => {
  const directory = writeRepo({ "byom.yaml": "snapshot: sometimes" });
  const { problems } = await loadDeploySettings({ directory });
  expect(renderProblems(problems)).toEqual([expect.stringContaining("byom.yaml:1 snapshot")]);
});

test("without the file there are no settings and no problem", async () => {
  expect(await loadDeploySettings({ directory: writeRepo({}) })).toEqual({
    settings: {},
    problems: [],
  });
});

test("each mistake has its line and what to write", async () => {
  const directory = writeRepo({
    "byom.yaml":
      "model: ocr\nscaling:\n  idle_timout: 60s\n  max: many\n  idle_timeout: soon\nmemory: lots\ncpus: 0\n",
  });
  const { settings, problems } = await loadDeploySettings({ directory });
  expect(settings).toBeUndefined();
  expect(renderProblems(problems)).toEqual([
    'byom.yaml:1 model: expected owner/name, found "ocr"; try: write model: owner/name',
    "byom.yaml:3 scaling.idle_timout: warning: unknown key, ignored; try: did you mean idle_timeout?",
    'byom.yaml:4 scaling.max: expected a number, found "many"',
    'byom.yaml:5 scaling.idle_timeout: expected a duration, found "soon"; try: write a number with ms, s, m or h, such as 60s',
    'byom.yaml:6 memory: expected an amount of memory, found "lots"; try: write a number with KiB, MiB or GiB, such as 4GiB',
    "byom.yaml:7 cpus: expected more than 0, found 0; try: write a number above 0, such as 2 or 0.5",
  ]);
});

test("an example whose file is missing, and a minimum above the maximum, are errors", async () => {
  const directory = writeRepo({
    "byom.yaml": 'example:\n  input:\n    image: "@page.png"\nscaling: {min: 4, max: 3}\n',
  });
  expect(renderProblems((await loadDeploySettings({ directory })).problems)).toEqual([
    "byom.yaml:3 example.input.image: page.png does not exist; try: create it or correct the path",
    "byom.yaml:4 scaling.min: min is above max",
  ]);
});

test("an own Dockerfile has to be a file of the repo", async () => {
  const problemsFor = async (path: string): Promise<readonly string[]> => {
    const files = { "byom.yaml": `build:\n  dockerfile: ${path}\n`, "docker/Dockerfile": "" };
    return renderProblems((await loadDeploySettings({ directory: writeRepo(files) })).problems);
  };
  expect(await problemsFor("docker/Dockerfile")).toEqual([]);
  expect(await problemsFor("Dockerfile")).toEqual([
    expect.stringContaining("byom.yaml:2 build.dockerfile: Dockerfile does not exist"),
  ]);
  for (const path of ["../Dockerfile", "/etc/passwd"]) {
    expect(await problemsFor(path)).toEqual([expect.stringContaining("outside of the model repo")]);
  }
});

test("a value among the secrets is no name: it would be in the repo", async () => {
  const directory = writeRepo({ "byom.yaml": "secrets: [hf_token=abc]\ngpus: some\n" });
  expect(renderProblems((await loadDeploySettings({ directory })).problems)).toEqual([
    expect.stringMatching(/^byom\.yaml:1 secrets\[0\]: /),
    expect.stringMatching(/^byom\.yaml:2 gpus: .*write gpus: all/),
  ]);
});

test("a misspelt key of a secret is told, so that setup() does not go without", async () => {
  const directory = writeRepo({ "byom.yaml": "secrets: [{name: A, setpu: true}]\n" });
  expect(renderProblems((await loadDeploySettings({ directory })).problems)).toEqual([
    "byom.yaml:1 secrets[0].setpu: warning: unknown key, ignored; try: did you mean setup?",
  ]);
});
