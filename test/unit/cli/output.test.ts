// stdout carries the answer and nothing else, so that commands compose in a shell and `--json` can be parsed.
import { describe, expect, it } from "vitest";
import { formatBytes, formatDuration, formatTable } from "../../../cli/output.ts";
import { captureOutput } from "./captured-output.ts";

describe("createOutput", () => {
  it("puts the answer on stdout with one newline and remarks on stderr", () => {
    const { output, stdout, stderr } = captureOutput();
    output.note("working");
    output.warn("careful");
    output.answer("done", { ignored: true });
    output.answer("again\n", undefined);
    output.answer("", {});
    expect(stdout()).toBe("done\nagain\n");
    expect(stderr()).toBe("working\nwarning: careful\n");
  });

  it("prints only the value as one JSON document with --json, whatever was streamed before", () => {
    const { output, stdout } = captureOutput({ isJson: true });
    output.write("streamed");
    output.answer("done", { name: "a" });
    expect(JSON.parse(stdout())).toEqual({ name: "a" });
  });

  it("colours only where colours are wanted", () => {
    expect(captureOutput().output.style("red", "x")).toBe("x");
    expect(captureOutput({ isColoured: true }).output.style("red", "x")).toBe(
      "\u001B[31mx\u001B[39m",
    );
  });
});

it.each([
  [0, "0 ms"],
  [999, "999 ms"],
  [1000, "1.00 s"],
  [9_994, "9.99 s"],
  [10_000, "10.0 s"],
])("formats %d ms as %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

it.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [1.5 * 1024 ** 3, "1.5 GiB"],
  [5000 * 1024 ** 4, "5000.0 TiB"],
])("formats %d bytes as %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

it("pads columns to their widest cell and leaves no blanks at the end of a line", () => {
  expect(formatTable([["a", "long", "x"], ["longer", "b", ""], ["c"]])).toBe(
    "a       long  x\nlonger  b\nc",
  );
});
