import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readRequirementsFile } from "../../../../builder/config/requirements.ts";
import { configOf, problemsOf, writeRepo } from "../repo.ts";

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
  expect(config.requirements).toMatchObject({
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
  expect(config.requirements.items).toContainEqual({
    text: "six==1.16.0     --hash=sha256:00",
    file: "requirements.txt",
    line: 5,
  });
  expect(config.requirements.items).toContainEqual({
    text: "six<2",
    file: "constraints.txt",
    line: 1,
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

test.each([
  ["numpy=1.26.4", "write numpy==1.26.4"],
  ["pip install torch==2.5.1", "write only what follows install: torch==2.5.1"],
  ["torch==2.5.1 torchvision", "write a requirement such as numpy==1.26.4"],
  ["--upgrade", "remove the line, or move it to build.run as a pip command"],
])("%s is reported with what to write instead", async (line, hint) => {
  const problems = await problemsOf(cogYaml, { "requirements.txt": `six\n${line}\n` });
  expect(problems).toEqual([expect.objectContaining({ severity: "warning", line: 2, hint })]);
});

test("everything that pip takes passes without a word", async () => {
  const lines = [
    "zope.interface[test,docs] (>=5,<6) ; python_version < '3.12'",
    "torch===2.5.1+cu121 --hash=sha256:00",
    "protobuf==3.20.*",
    "name@git+https://example.com/x@v1#subdirectory=a/b",
    "git+https://example.com/x.git#egg=x",
    "-i https://example.com/simple",
    "--extra-index-url=https://${TOKEN}@example.com/simple",
    "private-${NAME}",
    "--pre",
    "-e git+https://example.com/y.git#egg=y",
  ];
  expect(await problemsOf(cogYaml, { "requirements.txt": lines.join("\r\n") })).toEqual([]);
});

test("an option that goes on in the next line is read whole, at the line where it starts", async () => {
  const problems = await problemsOf(cogYaml, { "requirements.txt": "six\n-r \\\n  more.txt\n" });
  expect(problems.map(({ line, message }) => [line, message])).toEqual([
    [2, "more.txt does not exist"],
  ]);
});

test("a file that PowerShell wrote as UTF-16 is read, as pip reads it", async () => {
  const text = Buffer.from("\uFEFFsix==1.16.0\r\n", "utf16le");
  const directory = writeRepo({ "requirements.txt": text });
  const { requirements, problems } = await readRequirementsFile({
    directory,
    file: "requirements.txt",
  });
  expect([requirements.lines, problems]).toEqual([["six==1.16.0"], []]);
});

test("another tool's lock is no requirements file", async () => {
  const wrong = cogYaml.replace("requirements.txt", "poetry.lock");
  expect(await problemsOf(wrong, { "poetry.lock": "" })).toEqual([
    expect.objectContaining({
      severity: "error",
      file: "poetry.lock",
      hint: expect.stringContaining("requirements.txt"),
    }),
  ]);
});

test("whatever a requirements file holds: no exception, lines as written, a file and a line with every problem", async () => {
  const piece = fc.constantFrom(
    ..."-r -c -e -f --find-links= --hash=sha256:0 numpy == === >= [a] @ file:./ git+https://x/y ; # \\ ../ / . .whl ${X} %zz \0 \uFEFF \u2011 \" '".split(
      " ",
    ),
    " ",
    "\t",
    "\n",
    "\r\n",
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 40 }).map((parts) => parts.join("")),
    fc.string({ unit: "binary" }),
  );
  const directory = writeRepo({});
  const file = "requirements.txt";
  await fc.assert(
    fc.asyncProperty(text, async (written) => {
      writeFileSync(join(directory, file), written);
      const { requirements, problems } = await readRequirementsFile({ directory, file });
      const count = Buffer.from(written)
        .toString()
        .split(/\r\n|\n|\r/).length;
      expect(requirements.lines.length).toBeLessThanOrEqual(count);
      for (const problem of problems) {
        expect(problem.file).toBe(file);
        expect(problem.line).toBeGreaterThanOrEqual(1);
        expect(problem.line).toBeLessThanOrEqual(count);
      }
    }),
    { numRuns: Number(process.env["BYOM_PROPERTY_RUNS"] ?? 500) },
  );
}, 120_000);
