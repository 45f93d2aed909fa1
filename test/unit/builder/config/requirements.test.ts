import { expect, test } from "vitest";
import { configOf, problemsOf } from "../repo.ts";

const cogYaml =
  "build: {python_version: '3.11', python_requirements: requirements.txt}\nrun: predict.py:P\n";

test("lines stay as written, and every file that pip will read is known", async () => {
  const lines = [
    "# comment, with a --hash= in it",
    "--extra-index-url https://example.com/simple",
    "ruamel.yaml==0.18.6",
    "numpy==1.26.4 ; python_version >= '3.8' # why",
    "six==1.16.0 \\",
    "    --hash=sha256:00",
    "x @ git+https://example.com/x.git#subdirectory=y",
    "-r nested/more.txt",
    "--constraint=constraints.txt",
    "./wheels/a-1-py3-none-any.whl",
    "b[extra] @ file:./wheels/b.tar.gz",
    "-e ./package",
    "--find-links wheels",
  ];
  const config = await configOf(cogYaml, {
    "requirements.txt": `${lines.join("\n")}\n`,
    "nested/more.txt": "-r deeper.txt\nsix\n",
    "nested/deeper.txt": "-r ../requirements.txt\n",
    "constraints.txt": "six<2\n",
    "wheels/a-1-py3-none-any.whl": "",
    "wheels/b.tar.gz": "",
    "package/pyproject.toml": "",
  });
  expect(config.requirements).toEqual({
    lines,
    file: "requirements.txt",
    files: [
      "constraints.txt",
      "nested/deeper.txt",
      "nested/more.txt",
      "requirements.txt",
      "wheels/a-1-py3-none-any.whl",
      "wheels/b.tar.gz",
    ],
    folders: ["package", "wheels"],
  });
});

test("a file that pip would not find is an error at its line, before anything is built", async () => {
  const problems = await problemsOf(cogYaml, {
    "requirements.txt": "six\n-r more.txt\n./x.whl\n../outside.whl\n",
  });
  expect(
    problems.map(({ severity, file, line, message }) => [severity, file, line, message]),
  ).toEqual([
    ["error", "requirements.txt", 2, "more.txt does not exist"],
    ["error", "requirements.txt", 3, "x.whl does not exist"],
    ["error", "requirements.txt", 4, "../outside.whl lies outside of the model repo"],
  ]);
});

test("what pip will refuse is warned of", async () => {
  const problems = await problemsOf(cogYaml, {
    "requirements.txt":
      "git add .\nhuggingface\u2011hub\nfire >= 0.6.0\ntorch == 2.5.1\n--pre\nhttps://example.com/x.whl\n",
  });
  expect(problems.map(({ severity, line, hint }) => [severity, line, hint])).toEqual([
    ["warning", 1, "write a requirement such as numpy==1.26.4"],
    ["warning", 2, "replace the character U+2011; a hyphen is U+002D"],
  ]);
});

test("a wheel named in python_packages is found, its absence reported at the item", async () => {
  const list =
    "build:\n  python_version: '3.11'\n  python_packages:\n    - six\n    - ./a.whl\nrun: predict.py:P\n";
  expect((await configOf(list, { "a.whl": "" })).requirements.files).toEqual(["a.whl"]);
  const errors = (await problemsOf(list)).filter(({ severity }) => severity === "error");
  expect(errors).toEqual([
    expect.objectContaining({ file: "cog.yaml", line: 5, key: "build.python_packages[1]" }),
  ]);
});
