// Cog's rules of `weights`: two weights in one folder would overwrite each other when the model starts.
import { expect, test } from "vitest";
import { configOf, problemsOf } from "../repo.ts";

const head =
  "build: {python_version: '3.11'}\nrun: predict.py:P\nmodel: registry.example.com/me/model\nweights:\n";
const good = "- {name: base, target: /src/weights, source: {uri: 'hf://org/repo@main'}}\n";

test("a valid list is carried as it is", async () => {
  const list = `${good}- name: lora.v2\n  target: /models/lora\n  source: [{uri: ./lora, exclude: ['*.md']}, {uri: 'https://example.com/x'}]\n`;
  expect((await configOf(head + list)).weights).toHaveLength(2);
});

test.each([
  ["- {name: Base, target: /w}", "weights[0].name", "not a weight's name"],
  [`${good}- {name: base, target: /other}`, "weights[1].name", "there twice"],
  ["- {name: a, target: weights}", "weights[0].target", "absolute folder"],
  ["- {name: a, target: /}", "weights[0].target", "absolute folder"],
  ["- {name: a, target: /src/../etc}", "weights[0].target", "absolute folder"],
  [`${good}- {name: b, target: /src/weights/b}`, "weights[1].target", "one in another"],
  [`${good}- {name: b, target: /src/weights/}`, "weights[1].target", "one in another"],
  ["- {name: a, target: /w, source: {uri: 's3://x'}}", "weights[0].source.uri", "found s3://"],
  ["- {name: a, target: /w, source: [{include: [x]}]}", "weights[0].source[0]", "expected {uri"],
  ["- {name: a, target: /w, source: {uri: x, include: ['!x']}}", "weights[0].source", "pattern"],
])("%s", async (list, key, message) => {
  const errors = (await problemsOf(`${head}${list}\n`)).filter(
    ({ severity }) => severity === "error",
  );
  expect(errors).toEqual([
    expect.objectContaining({
      key,
      line: expect.any(Number),
      message: expect.stringContaining(message),
    }),
  ]);
});
