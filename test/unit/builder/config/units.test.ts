// A limit that is read wrong is a model that is killed, or one that takes the whole machine.
import { describe, expect, it } from "vitest";
import { parseBytes, parseDurationMs } from "../../../../builder/config/units.ts";

describe("an amount of memory", () => {
  it.each([
    ["4GiB", 4 * 1024 ** 3],
    ["4Gi", 4 * 1024 ** 3],
    ["512m", 512 * 1024 ** 2],
    ["256Mi", 256 * 1024 ** 2],
    ["2GB", 2_000_000_000],
    ["1.5 KiB", 1536],
    ["1000", 1000],
  ])("%s", (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  it.each(["lots", "-1GiB", "1 PiB", "", "1e3", undefined, null])("is not %s", (text) => {
    expect(parseBytes(text)).toBeUndefined();
  });
});

describe("a duration", () => {
  it.each([
    ["60s", 60_000],
    ["1.5m", 90_000],
    ["500ms", 500],
    ["2", 2000],
  ])("%s", (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each(["soon", "-1s", "1 day"])("is not %s", (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });
});
