import { describe, expect, test } from "vitest";
import { digestOf, formatReference, parseReference } from "../../../../registry-client/index.ts";

const digest = digestOf("x");

// A name read wrongly sends an image, and credentials, to another registry.
describe("parseReference", () => {
  test.each([
    ["alpine", { registry: "docker.io", repository: "library/alpine" }],
    ["alpine:3.20", { registry: "docker.io", repository: "library/alpine", tag: "3.20" }],
    ["me/model", { registry: "docker.io", repository: "me/model" }],
    ["docker.io/alpine", { registry: "docker.io", repository: "library/alpine" }],
    ["index.docker.io/me/x", { registry: "docker.io", repository: "me/x" }],
    ["localhost/x", { registry: "localhost", repository: "x" }],
    ["localhost:5000/x", { registry: "localhost:5000", repository: "x" }],
    ["localhost:5000/a/b:v1", { registry: "localhost:5000", repository: "a/b", tag: "v1" }],
    ["[::1]:5000/x:y", { registry: "[::1]:5000", repository: "x", tag: "y" }],
    ["ghcr.io/o/n@" + digest, { registry: "ghcr.io", repository: "o/n", digest }],
    ["r8.im/o/n:t@" + digest, { registry: "r8.im", repository: "o/n", tag: "t", digest }],
  ])("%s", (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  test("a default registry takes the place of Docker Hub and its library/", () => {
    expect(parseReference("model:1", { defaultRegistry: "127.0.0.1:5000" })).toEqual({
      registry: "127.0.0.1:5000",
      repository: "model",
      tag: "1",
    });
  });

  test.each([
    "",
    "UPPER/x/Y",
    "a//b",
    "a/../b",
    "x:",
    "x:bad tag",
    "x@sha256:12",
    "http://h/x",
    "h.example/",
    "-a",
    "a".repeat(260),
  ])("refuses %j", (text) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^invalid-(reference|digest)$/) }),
    );
  });

  test("what is formatted reads back the same", () => {
    const reference = { registry: "h.example:1", repository: "a/b", tag: "t", digest };
    expect(parseReference(formatReference(reference))).toEqual(reference);
  });
});
