import { expect, test } from "vitest";
import { createPlan, renderPlan } from "../../../../builder/index.ts";
import { renderBytes } from "../../../../builder/plan/render.ts";
import { configOf, writeRepo } from "../repo.ts";

test("the text says what is built, why and how large it is", async () => {
  const config = await configOf(
    'build: {python_version: "3.11", python_packages: [six], run: [git clone x]}\nrun: predict.py:P\nimage: me/model\n',
  );
  const directory = writeRepo({
    "predict.py": "print(1)",
    "model.onnx": Buffer.alloc(3 * 1024 * 1024),
  });
  expect(renderPlan(await createPlan({ config, directory }))).toBe(`\
image       me/model (linux/amd64)
base image  python:3.11-slim (default, Python 3.11)
python      3.11 (cog.yaml:1 build.python_version)
cog         0.23.1 (default)
gpu         no
predictor   predict.py:P
command     /usr/bin/tini -- python -m cog.server.http

environment, built by the engine:
  apt-get install
    tini (added: first process of the container)
    git (added: called by build.run)
    ca-certificates (added: for https)
  pip install
    six
  pip install cog 0.23.1, coglet 0.23.1
  run git clone x

weights, one layer each below the code: 1 file, 3.0 MiB
  model.onnx 3.0 MiB

code, one layer in /src: 1 file, 8 B
  predict.py 8 B

variables:
  PYTHONUNBUFFERED=1
  COG_PREDICT_TYPE_STUB=predict.py:P
`);
});

test("a long list of files is cut, the largest first", async () => {
  const config = await configOf('build: {python_version: "3.11"}\n');
  const files = Array.from({ length: 12 }, (_, index) => [`f${index}.py`, "x".repeat(index)]);
  const directory = writeRepo(Object.fromEntries(files) as Record<string, string>);
  const text = renderPlan(await createPlan({ config, directory }));
  expect(text).toContain("code, one layer in /src: 12 files, 66 B\n  f11.py 11 B\n  f10.py 10 B\n");
  expect(text).toContain("  f2.py 2 B\n  and 2 more\n");
});

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [150 * 1024 ** 2, "150 MiB"],
  [2.5 * 1024 ** 4, "2.5 TiB"],
])("%d bytes are %s", (sizeBytes, expected) => {
  expect(renderBytes(sizeBytes)).toBe(expected);
});
