// A file that is no model's fails with what it is, not with a list of unknown keys or an image without a model.
import { expect, test } from "vitest";
import { problemsOf } from "../repo.ts";

test.each([
  [
    "a tool for commits",
    "tag_prefix: v\nchangelog: {path: CHANGELOG.md}\n",
    /not a file of Cog.*Cocogitto/,
  ],
  ["conda", "name: x\nchannels: [a]\ndependencies: [pip]\n", /not a file of Cog.*conda/],
  ["compose", "services: {a: {image: b}}\n", /not a file of Cog.*Docker Compose/],
  [
    "anything else",
    "alpha: 1\nbeta: 2\n",
    /not a file of Cog: it knows none of the keys alpha, beta$/,
  ],
  ["a docstring", '"""A model."""\nbuild:\n  gpu: true\n', /begins with a Python docstring/],
  ["a web page", "<!DOCTYPE html>\n<html><body>404</body></html>\n", /it is a web page/],
  ["text", "see the README\n", /expected settings as/],
])("%s", async (_, text, message) => {
  const problems = await problemsOf(text);
  expect(problems).toEqual([
    expect.objectContaining({
      severity: "error",
      file: "cog.yaml",
      line: 1,
      message: expect.stringMatching(message),
      hint: expect.any(String),
    }),
  ]);
});

test("a file that is there twice: the line from which to remove it", async () => {
  const once = 'build:\n  python_version: "3.11"\nrun: predict.py:P\n';
  expect(await problemsOf(once + once)).toEqual([
    expect.objectContaining({
      severity: "error",
      line: 4,
      hint: "remove everything from line 4 on",
    }),
  ]);
});

test("a typo in the only key is still a typo", async () => {
  const [problem] = await problemsOf("biuld: {}\n");
  expect(problem).toMatchObject({ severity: "warning" });
});
