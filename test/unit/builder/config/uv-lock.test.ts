import { expect, test } from "vitest";
import { readUvLock } from "../../../../builder/config/uv-lock.ts";
import { configOf, problemsOf } from "../repo.ts";

const header = 'version = 1\nrevision = 5\nrequires-python = ">=3.11"\n';

function locked(name: string, version: string, source: string): string {
  return `\n[[package]]\nname = "${name}"\nversion = "${version}"\nsource = { ${source} }\ndependencies = [\n    { name = "six" },\n]\n`;
}

const lock = [
  header,
  locked("model", "0.1", 'virtual = "."'),
  locked("six", "1.17.0", 'registry = "https://pypi.org/simple"'),
  locked("torch", "2.8.0+cu126", 'registry = "https://download.pytorch.org/whl/cu126"'),
].join("");

const cogYaml = "build: {python_version: '3.11'}\nrun: predict.py:P\n";
const pyproject = '[project]\nname = "model"\ndependencies = ["six"]\n';

test("packages, their indexes and nothing of the project itself", () => {
  expect(readUvLock(lock)).toEqual({
    packages: ["six==1.17.0", "torch==2.8.0+cu126"],
    indexes: ["https://download.pytorch.org/whl/cu126"],
    localPaths: [],
    hasHashes: true,
  });
});

test("what has no digest takes the digests of all others away: pip checks all or none", () => {
  const git = locked("x", "1", 'git = "https://example.com/x.git?rev=v1#abc"');
  expect(readUvLock(lock + git)?.hasHashes).toBe(false);
  const folder = locked("y", "1", 'editable = "packages/y"');
  expect(readUvLock(lock + folder)).toMatchObject({
    hasHashes: false,
    localPaths: ["packages/y"],
  });
});

test("another version of the format is no lock to byom", () => {
  expect(readUvLock(lock.replace("version = 1", "version = 2"))).toBeUndefined();
  expect(readUvLock("")).toBeUndefined();
});

test("a repo that names no packages and has a lock gets the lock's", async () => {
  const { requirements } = await configOf(cogYaml, {
    "uv.lock": lock,
    "pyproject.toml": pyproject,
  });
  expect(requirements).toMatchObject({
    lines: ["six==1.17.0", "torch==2.8.0+cu126"],
    file: "uv.lock",
    files: ["pyproject.toml", "uv.lock"],
    folders: [],
    lock: { indexes: ["https://download.pytorch.org/whl/cu126"], hasHashes: true },
  });
});

test("packages that cog.yaml names win over a lock", async () => {
  const named = cogYaml.replace("'3.11'", "'3.11', python_packages: [idna]");
  const { requirements } = await configOf(named, { "uv.lock": lock, "pyproject.toml": pyproject });
  expect(requirements.lines).toEqual(["idna"]);
});

test("pyproject.toml as python_requirements means its lock", async () => {
  const named = cogYaml.replace("'3.11'", "'3.11', python_requirements: pyproject.toml");
  const files = { "uv.lock": lock, "pyproject.toml": pyproject };
  expect((await configOf(named, files)).requirements.file).toBe("uv.lock");
  expect(await problemsOf(named, { "pyproject.toml": pyproject })).toEqual([
    expect.objectContaining({
      severity: "error",
      file: "pyproject.toml",
      message: "no uv.lock beside it",
      hint: expect.stringContaining("uv lock"),
    }),
  ]);
});

test.each([
  ["a lock without its project", { "uv.lock": lock }, "uv.lock"],
  ["a project without its lock", { "pyproject.toml": pyproject }, "pyproject.toml"],
])("%s is not passed over in silence", async (_, files, file) => {
  expect(await problemsOf(cogYaml, files)).toEqual([
    expect.objectContaining({ severity: "warning", file, line: 1 }),
  ]);
});

test("a pyproject.toml that only sets up tools needs no word", async () => {
  expect(
    await problemsOf(cogYaml, { "pyproject.toml": "[tool.ruff]\nline-length = 100\n" }),
  ).toEqual([]);
});

test("a package of the repo that is not there is an error of the lock", async () => {
  const files = {
    "pyproject.toml": pyproject,
    "uv.lock": lock + locked("y", "1", 'editable = "packages/y"'),
  };
  expect(await problemsOf(cogYaml, files)).toEqual([
    expect.objectContaining({
      severity: "error",
      file: "uv.lock",
      message: "packages/y does not exist",
    }),
  ]);
});
