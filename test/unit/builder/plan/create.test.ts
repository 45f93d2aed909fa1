import { execFileSync } from "node:child_process";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { readBundledTable } from "../../../../builder/compatibility/read-table.ts";
import {
  createPlan,
  loadConfig,
  renderPlan,
  requireConfig,
  resolveGpu,
} from "../../../../builder/index.ts";
import type { Plan, PlanSettings } from "../../../../builder/index.ts";
import { defaultImageName } from "../../../../builder/plan/image-name.ts";
import { writeRepo } from "../repo.ts";

async function planOf(
  files: Readonly<Record<string, string | Buffer>>,
  settings: PlanSettings = {},
): Promise<Plan> {
  const directory = writeRepo({ "predict.py": "", ...files });
  const config = requireConfig(await loadConfig({ directory }));
  const gpu = resolveGpu({ config, table: await readBundledTable() });
  return await createPlan({ config, directory, settings, gpu, schema: { openapi: "3.0.2" } });
}

test("a model repo becomes a whole plan, each choice with its reason", async () => {
  const plan = await planOf({
    "cog.yaml": [
      "build:",
      '  python_version: "3.12.4"',
      "  python_requirements: requirements.txt",
      "  system_packages: [ffmpeg]",
      "  run: [curl -L x | tar xJ]",
      "image: me/model",
      "run: predict.py:Predictor",
      "train: train.py:train",
      "concurrency: {max: 2}",
      "environment: [A=1]",
    ].join("\n"),
    "requirements.txt": "six\nx @ git+https://example.com/x\n",
    "weights/model.onnx": Buffer.alloc(2 * 1024 * 1024),
    "train.py": "",
  });
  expect(plan).toEqual({
    directory: plan.directory,
    platform: "linux/amd64",
    imageName: "me/model",
    baseImage: { value: "python:3.12-slim", reason: "default, Python 3.12" },
    pythonVersion: { value: "3.12.4", reason: "cog.yaml:2 build.python_version" },
    cogVersion: { value: "0.23.1", reason: "default" },
    gpu: false,
    environment: [
      {
        kind: "system-packages",
        packages: ["ffmpeg", "tini", "curl", "git", "xz-utils", "ca-certificates"],
        reasons: {
          tini: "first process of the container",
          curl: "called by build.run",
          git: "named by a requirement",
          "xz-utils": "called by build.run",
          "ca-certificates": "for https",
        },
      },
      {
        kind: "python-requirements",
        lines: ["six", "x @ git+https://example.com/x"],
        file: "requirements.txt",
        files: ["requirements.txt"],
        needsContext: false,
      },
      { kind: "cog", cogVersion: "0.23.1", cogletVersion: "0.23.1" },
      { kind: "run", command: "curl -L x | tar xJ", secrets: [] },
    ],
    contextFiles: ["requirements.txt"],
    weights: [{ path: "weights/model.onnx", sizeBytes: 2 * 1024 * 1024, isExecutable: false }],
    code: [
      { path: "cog.yaml", sizeBytes: expect.any(Number), isExecutable: false },
      { path: "predict.py", sizeBytes: 0, isExecutable: false },
      { path: "requirements.txt", sizeBytes: 34, isExecutable: false },
      { path: "train.py", sizeBytes: 0, isExecutable: false },
    ],
    variables: {
      A: "1",
      PYTHONUNBUFFERED: "1",
      COG_PREDICT_TYPE_STUB: "predict.py:Predictor",
      COG_TRAIN_TYPE_STUB: "train.py:train",
      COG_MAX_CONCURRENCY: "2",
    },
    buildVariables: { A: "1" },
    labels: {
      "run.cog.config": JSON.stringify({
        build: {
          gpu: false,
          python_version: "3.12.4",
          python_requirements: "requirements.txt",
          system_packages: ["ffmpeg"],
          run: ["curl -L x | tar xJ"],
        },
        image: "me/model",
        predict: "predict.py:Predictor",
        train: "train.py:train",
        concurrency: { max: 2 },
        environment: ["A=1"],
      }),
      "run.cog.has_init": "true",
      "run.cog.openapi_schema": '{"openapi":"3.0.2"}',
      "run.cog.version": "0.23.1",
    },
    entrypoint: ["/usr/bin/tini", "--"],
    command: ["python", "-m", "cog.server.http"],
    workingDirectory: "/src",
    exposedPort: 5000,
    predictor: "predict.py:Predictor",
    trainer: "train.py:train",
    openApiSchema: { openapi: "3.0.2" },
  });
});

const small = 'build: {python_version: "3.10"}\nrun: predict.py:P\n';

test("a company's base images and a chosen one win over Docker's", async () => {
  const baseImages = { python: "mirror.example.com/python:{version}" };
  const mirrored = await planOf({ "cog.yaml": small }, { baseImages });
  expect(mirrored.baseImage.value).toBe("mirror.example.com/python:3.10");
  const chosen = await planOf({ "cog.yaml": small }, { baseImages, baseImage: "mine:1" });
  expect(chosen.baseImage).toEqual({ value: "mine:1", reason: "--base-image" });
});

test("an older Python is planned on a newer one, and the plan says why", async () => {
  const plan = await planOf({ "cog.yaml": 'build: {python_version: "3.8"}\nrun: predict.py:P' });
  expect(plan.pythonVersion).toEqual({
    value: "3.10",
    reason: "cog.yaml:1 build.python_version asks for 3.8; cog needs 3.10 or newer",
  });
  expect(plan.baseImage.value).toBe("python:3.10-slim");
});

test("a Python that a flag gives wins over a cog.yaml that none could build", async () => {
  const directory = writeRepo({
    "predict.py": "",
    "cog.yaml": 'build: {python_version: "2.7"}\nrun: predict.py:P',
  });
  const loaded = await loadConfig({ directory, pythonVersion: "3.12" });
  expect(loaded.problems).toEqual([]);
  const plan = await createPlan({ config: requireConfig(loaded), directory });
  expect(plan.pythonVersion).toEqual({ value: "3.12", reason: "--python" });
  expect(plan.baseImage.value).toBe("python:3.12-slim");
});

test("an own Dockerfile makes the base, and the plan says that it builds whole", async () => {
  const dockerfile = { value: "Dockerfile", reason: "byom.yaml:2 build.dockerfile" };
  const plan = await planOf({ "cog.yaml": small, Dockerfile: "FROM scratch" }, { dockerfile });
  expect(plan.dockerfile).toEqual(dockerfile);
  expect(plan.baseImage).toEqual({
    value: "byom-dockerfile",
    reason: "Dockerfile builds it, whole: byom.yaml:2 build.dockerfile",
  });
});

test("cog.yaml's weights are in the plan, with the size of what the repo holds", async () => {
  const plan = await planOf({
    "cog.yaml": [
      'build: {python_version: "3.11"}',
      "run: predict.py:P",
      "model: example.com/me/model",
      "weights:",
      "  - {name: base, target: /w/base, source: {uri: 'hf://org/repo@main'}}",
      "  - {name: lora, target: /w/lora, source: [{uri: ./lora}]}",
    ].join("\n"),
    "lora/a.bin": Buffer.alloc(3),
    "lora/b.bin": Buffer.alloc(4),
  });
  expect(plan.managedWeights).toEqual([
    { name: "base", target: "/w/base", uris: ["hf://org/repo@main"] },
    { name: "lora", target: "/w/lora", uris: ["./lora"], sizeBytes: 7 },
  ]);
  expect(renderPlan(plan)).toContain(
    "weights of cog.yaml, from elsewhere:\n  base in /w/base from hf://org/repo@main\n  lora in /w/lora from ./lora, 7 B\n",
  );
});

test("a GPU model carries what was resolved for it and the variables that give it the device", async () => {
  const plan = await planOf({
    "cog.yaml":
      'build: {python_version: "3.11", gpu: true, cuda: "12.4", python_packages: ["torch==2.4.1"]}\nrun: predict.py:P',
  });
  expect(plan).toMatchObject({
    gpu: true,
    framework: { value: "torch 2.4.1", reason: "cog.yaml:1" },
    cuda: { value: "12.4", reason: "cog.yaml:1 build.cuda" },
    cudnn: { value: "9" },
    packageIndex: { value: "https://download.pytorch.org/whl/cu124" },
    variables: { NVIDIA_VISIBLE_DEVICES: "all", NVIDIA_DRIVER_CAPABILITIES: "all" },
  });
});

test("an image of CUDA comes from the mirror that the company sets, and its Python too", async () => {
  const plan = await planOf(
    { "cog.yaml": 'build: {python_version: "3.11", gpu: true, cuda: "12.4"}\nrun: predict.py:P' },
    { baseImages: { python: "mirror/python:{version}", cuda: "mirror/cuda:{tag}" } },
  );
  expect(plan.baseImage.value).toBe("mirror/cuda:12.4.1-cudnn-runtime-ubuntu22.04");
  expect(plan.toolImage).toBe("mirror/python:3.11");
});

test("sdk_version pins both packages", async () => {
  const plan = await planOf({ "cog.yaml": 'build: {python_version: "3.11", sdk_version: 0.22.0}' });
  expect(plan.environment).toContainEqual({
    kind: "cog",
    cogVersion: "0.22.0",
    cogletVersion: "0.22.0",
  });
});

test("a folder that pip builds brings its code into the context, and no weights", async () => {
  const plan = await planOf({
    "cog.yaml": 'build: {python_version: "3.11", python_packages: [./package]}',
    "package/setup.py": "",
    "package/model.bin": Buffer.alloc(2 * 1024 * 1024),
    "packages/other.py": "",
  });
  expect(plan.contextFiles).toEqual(["package/setup.py"]);
});

test("the git revision and tag become labels; an edit marks the version dirty", async () => {
  const directory = writeRepo({ "cog.yaml": small, "predict.py": "" });
  const git = (...parameters: string[]): string =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.com", ...parameters], {
      cwd: directory,
      encoding: "utf8",
    }).trim();
  git("init", "--quiet");
  git("add", ".");
  git("commit", "--quiet", "--message", "one");
  git("tag", "v1");
  const config = requireConfig(await loadConfig({ directory }));
  const { labels } = await createPlan({ config, directory });
  expect(labels).toMatchObject({
    "org.opencontainers.image.revision": git("rev-parse", "HEAD"),
    "org.opencontainers.image.version": "v1",
  });
});

test.each([
  ["/home/me/My Model", "cog-my-model"],
  ["/home/me/cog-whisper", "cog-whisper"],
  ["/home/me/Modèle_2.1", "cog-modle21"],
  ["/home/me/a-name-that-is-much-too-long-for-it", "cog-a-name-that-is-much-too-lo"],
  ["/home/me/twenty-five-letters-here-and", "cog-twenty-five-letters-here-a"],
  ["/home/me/模型", "cog-model"],
  ["/", "cog-model"],
])("the folder %s gives the image name %s", (directory, expected) => {
  expect(defaultImageName(directory)).toBe(expected);
});

test("without image: the folder names the image", async () => {
  const plan = await planOf({ "cog.yaml": small });
  expect(plan.imageName).toBe(defaultImageName(basename(plan.directory)));
});

test("an aborted plan throws the caller's reason", async () => {
  const directory = writeRepo({ "cog.yaml": small, "predict.py": "" });
  const config = requireConfig(await loadConfig({ directory }));
  const signal = AbortSignal.abort(new Error("stopped"));
  await expect(createPlan({ config, directory, signal })).rejects.toThrow("stopped");
});
