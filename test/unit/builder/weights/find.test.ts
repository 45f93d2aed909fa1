import { expect, test } from "vitest";
import { isWeightFile } from "../../../../builder/weights/find.ts";

const mebibyte = 1024 * 1024;

test.each([
  ["model.safetensors", 5 * mebibyte, true],
  ["deep/MODEL.GGUF", mebibyte, true],
  ["tiny.onnx", mebibyte - 1, false],
  ["data.unknown", 64 * mebibyte, true],
  ["data.unknown", 64 * mebibyte - 1, false],
  ["vocabulary", 64 * mebibyte, true],
  ["generated.py", 100 * mebibyte, false],
])("%s of %i bytes: weights %s", (path, sizeBytes, expected) => {
  expect(isWeightFile({ path, sizeBytes, isExecutable: false })).toBe(expected);
});

test("a link is never weights, whatever it is called", () => {
  const link = {
    path: "a.gguf",
    sizeBytes: 5 * mebibyte,
    isExecutable: false,
    linkTarget: "b.gguf",
  };
  expect(isWeightFile(link)).toBe(false);
});
