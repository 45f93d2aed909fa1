// The hot path reads `model` out of a request without parsing it. If it read another value than the provider's parser,
// a caller could be billed for, or kept from, the wrong model.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { scanFields } from "../../../../gateway/http/scan-json.ts";

const names = new Set(["model", "stream"]);

function scan(text: string): Record<string, unknown> | undefined {
  const bytes = Buffer.from(text);
  const fields = scanFields(bytes, names);
  if (fields === undefined) return undefined;
  return Object.fromEntries(
    [...fields].map(([key, { start, end }]) => [
      key,
      JSON.parse(bytes.toString("utf8", start, end)) as unknown,
    ]),
  );
}

describe("reading fields of a body", () => {
  it.each([
    ['{"model":"a/b","stream":true}', { model: "a/b", stream: true }],
    [' { "messages" : [{"model":"x"}] , "model" : "y" } ', { model: "y" }],
    ['{"a":"\\"model\\":\\"no\\"","model":"é\\n"}', { model: "é\n" }],
    ['{"a":"\\\\","model":null}', { model: null }],
    ["{}", {}],
  ])("%s", (text, fields) => {
    expect(scan(text)).toEqual(fields);
  });

  it.each([
    ["a key twice", '{"model":"a","model":"b"}'],
    ["a key with escapes, which could be the same again", '{"model":"a","mod\\u0065l":"b"}'],
    ["an array", '["model"]'],
    ["something after the end", '{"model":"a"} x'],
    ["a text that is cut off", '{"model":"a","messages":["'],
    ["no value", '{"model":}'],
    ["nothing", ""],
  ])("leaves %s to a real parser", (_, text) => {
    expect(scan(text)).toBeUndefined();
  });

  it("agrees with JSON.parse on every object, however spaced", () => {
    const space = fc.constantFrom(undefined, 1, "\t");
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), space, (object, indent) => {
        const value = { ...object, model: "m", stream: false };
        const fields = scan(JSON.stringify(value, undefined, indent));
        const hasEscapedKey = Object.keys(value).some((key) => JSON.stringify(key).includes("\\"));
        if (hasEscapedKey) return fields === undefined;
        return fields?.["model"] === "m" && fields["stream"] === false;
      }),
      { numRuns: 500 },
    );
  });

  it("never reads more into a broken text than JSON.parse would", () => {
    const piece = fc.constantFrom(
      "{",
      "}",
      '"',
      "\\",
      ":",
      ",",
      '"model"',
      '"a"',
      "[",
      "]",
      "1",
      " ",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        const text = pieces.join("");
        const fields = scanFields(Buffer.from(text), names);
        if (fields === undefined) return true;
        try {
          const parsed = JSON.parse(text) as Record<string, unknown>;
          return Object.hasOwn(parsed, "model") === fields.has("model");
        } catch {
          return true; // the provider refuses it
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
