import { join } from "node:path";
import { expect, test } from "vitest";
import { readBundledTable } from "../../../../builder/compatibility/read-table.ts";
import { createPlan, renderDockerfile, resolveGpu } from "../../../../builder/index.ts";
import type { PlanSettings } from "../../../../builder/index.ts";
import { configOf, writeRepo } from "../repo.ts";

/** Golden files are what the engine gets; after a wanted change run vitest with `--update` and read the difference. */
const golden = (name: string): string => join(import.meta.dirname, "golden", `${name}.Dockerfile`);

async function dockerfileOf(
  cogYaml: string,
  options: { files?: Record<string, string>; settings?: PlanSettings } = {},
): Promise<string> {
  const { files = {}, settings = {} } = options;
  const config = await configOf(cogYaml, files);
  const gpu = resolveGpu({ config, table: await readBundledTable() });
  return renderDockerfile(await createPlan({ config, directory: writeRepo(files), settings, gpu }));
}

test("the smallest model", async () => {
  const text = await dockerfileOf('build: {python_version: "3.11"}\nrun: predict.py:P\n');
  await expect(text).toMatchFileSnapshot(golden("minimal"));
});

test("everything a CPU model can ask for", async () => {
  const cogYaml = [
    "build:",
    "  python_version: 3.10",
    "  system_packages: [ffmpeg, libgl1-mesa-glx, 'foo=1.2*']",
    "  python_packages:",
    `    - "numpy==1.26.4 ; python_version >= '3.8'"`,
    "    - torch==1.12.1 --extra-index-url=https://example.com/whl/cpu",
    "    - git+https://example.com/x.git#subdirectory=y",
    "  run:",
    `    - curl -L "https://example.com/$(uname -s)" > /usr/local/bin/pget && chmod +x /usr/local/bin/pget`,
    "    - --mount=type=cache,target=/root/.cache/pip pip install x>=1.3",
    "    - apt-get update && apt-get install -y sox",
    "    - command: pip install -r private.txt",
    "      mounts: [{type: secret, id: token, target: /run/secrets/token}]",
    "  pre_install:",
    "    - echo last \\",
    "environment:",
    `  - GREETING=say "hi" \\ $HOME`,
    "predict: predict.py:P",
  ].join("\n");
  await expect(await dockerfileOf(cogYaml)).toMatchFileSnapshot(golden("full"));
});

test("a requirements file with what it names, behind a company's proxy", async () => {
  const text = await dockerfileOf(
    'build: {python_version: "3.12", python_requirements: requirements.txt}\nrun: predict.py:P\n',
    {
      files: {
        "requirements.txt": "-r reqs/more.txt\n./a.whl\n",
        "reqs/more.txt": "six\n",
        "a.whl": "",
      },
      settings: {
        baseImages: { python: "mirror.example.com/python:{version}" },
        hostTrust: { hasCertificates: true, hasPipConfiguration: true },
      },
    },
  );
  await expect(text).toMatchFileSnapshot(golden("requirements-and-trust"));
});

test("a folder that pip builds gets the whole context", async () => {
  const text = await dockerfileOf(
    "build: {python_version: '3.11', python_packages: ['-e .'], sdk_version: prerelease}\nrun: predict.py:P\n",
    { files: { "setup.py": "" } },
  );
  await expect(text).toMatchFileSnapshot(golden("editable"));
});

test("a uv.lock is exported without network and installed by pip, its other indexes too", async () => {
  const lock =
    'version = 1\n\n[[package]]\nname = "six"\nversion = "1.17.0"\n' +
    'source = { registry = "https://example.com/simple" }\n';
  const text = await dockerfileOf('build: {python_version: "3.11"}\nrun: predict.py:P\n', {
    files: { "uv.lock": lock, "pyproject.toml": '[project]\ndependencies = ["six"]\n' },
  });
  await expect(text).toMatchFileSnapshot(golden("uv-lock"));
});

test("wheels for another CUDA than PyPI's come from an index beside it, on a plain Python image", async () => {
  const cogYaml =
    'build: {python_version: "3.11", gpu: true, cuda: "12.1", python_packages: [torch==2.5.1]}\nrun: predict.py:P\n';
  await expect(await dockerfileOf(cogYaml)).toMatchFileSnapshot(golden("gpu-wheels"));
});

test("a step that compiles starts from NVIDIA's image, with a Python of its own", async () => {
  const cogYaml = [
    "build:",
    '  python_version: "3.11"',
    "  gpu: true",
    "  python_packages: [torch==2.5.1, flash-attn==2.7.4]",
    "run: predict.py:P",
  ].join("\n");
  const settings = { hostTrust: { hasCertificates: true } };
  await expect(await dockerfileOf(cogYaml, { settings })).toMatchFileSnapshot(golden("gpu-devel"));
});

test("nothing of the host is in the text unless the host needs it, and nothing is pulled but the base", async () => {
  const text = await dockerfileOf('build: {python_version: "3.11", python_packages: [six]}\n');
  expect(text).not.toMatch(/ca\.crt|pip\.conf|syntax=/);
  expect(text.match(/^FROM .*$/gm)).toEqual(["FROM python:3.11-slim"]);
});

test("an edit of the code changes no byte of it", async () => {
  const cogYaml = 'build: {python_version: "3.11", python_packages: [six]}\nrun: predict.py:P\n';
  const before = await dockerfileOf(cogYaml, { files: { "predict.py": "a" } });
  const after = await dockerfileOf(cogYaml.replace("predict.py:P", "other.py:Q"), {
    files: { "predict.py": "b", "new.py": "" },
  });
  expect(after).toBe(before);
});
