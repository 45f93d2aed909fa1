// A key goes in by a pipe: it must come out whole, without its line's end, and never by accident be a file.
import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { readSecret } from "../../../cli/stdin.ts";

const options = { flag: "--key-stdin", signal: new AbortController().signal };

it.each([
  [["sk-1\n"], "sk-1"],
  [["sk", "-", "1\r\n"], "sk-1"],
  [["  sk-1  "], "sk-1"],
])("%j is %s", async (chunks, secret) => {
  expect(await readSecret(Readable.from(chunks), options)).toBe(secret);
});

it.each([
  ["nothing", [""], /nothing came/],
  ["a line end", ["\n"], /nothing came/],
  ["a whole file", ["x".repeat(70_000)], /far too much/],
])("%s is no key", async (_what, chunks, message) => {
  await expect(readSecret(Readable.from(chunks), options)).rejects.toThrow(message);
});
