import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { GatewayError } from "../../../../gateway/errors.ts";
import { parseForm } from "../../../../gateway/surface/openai/multipart.ts";

// Forms with files. If one of these fails, a sound reaches the model changed, or a broken form takes the gateway down.

const part = (head: string, content: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(`--b\r\n${head}\r\n\r\n`), Buffer.from(content), Buffer.from("\r\n")]);
const form = (...parts: readonly Buffer[]): Buffer =>
  Buffer.concat([...parts, Buffer.from("--b--\r\n")]);
const field = (name: string): string => `Content-Disposition: form-data; name="${name}"`;

describe("a form", () => {
  it("gives files byte for byte, whatever is in them", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const content = Buffer.from(bytes);
        fc.pre(!content.includes("--b"));
        const head = `${field("file")}; filename="a.bin"\r\nContent-Type: audio/wav`;
        const { files } = parseForm(form(part(head, content)), "b");
        expect(files).toEqual([
          { field: "file", fileName: "a.bin", contentType: "audio/wav", bytes: content },
        ]);
      }),
    );
  });

  it("reads what the platform's own writer writes", async () => {
    const data = new FormData();
    data.append("model", "acme/ears");
    data.append("timestamp_granularities[]", "word");
    data.append("timestamp_granularities[]", "segment");
    data.append("file", new File(["sound\r\n--x"], 'say "hi".wav', { type: "audio/wav" }));
    const request = new Request("http://localhost", { method: "POST", body: data });
    const boundary = /boundary=(.*)$/.exec(request.headers.get("content-type") ?? "")?.[1] ?? "";
    const { fields, files } = parseForm(Buffer.from(await request.arrayBuffer()), boundary);
    expect(Object.fromEntries(fields)).toEqual({
      model: ["acme/ears"],
      "timestamp_granularities[]": ["word", "segment"],
    });
    expect(files).toMatchObject([{ fileName: 'say "hi".wav', contentType: "audio/wav" }]);
    expect(files[0]?.bytes.toString()).toBe("sound\r\n--x");
  });

  it("takes empty contents, a preamble and headers in any case", () => {
    const body = Buffer.concat([
      Buffer.from("hello\r\n"),
      form(part("CONTENT-DISPOSITION: form-data; name=model", ""), part(field("a"), "1")),
    ]);
    expect(Object.fromEntries(parseForm(body, "b").fields)).toEqual({ model: [""], a: ["1"] });
  });

  it("is refused when it is cut, nameless, or too much of it", () => {
    const many = Array.from({ length: 129 }, () => part(field("a"), "1"));
    const wrong: readonly (readonly [Buffer, RegExp])[] = [
      [Buffer.from(""), /boundary/],
      [Buffer.from("--b"), /ends before/],
      [part(field("a"), "1").subarray(0, -3), /ends before/],
      [form(part("Content-Type: text/plain", "1")), /no name/],
      [form(part("Content-Disposition: attachment; name=a", "1")), /no name/],
      [form(part(`${field("a")}\r\nX: ${"x".repeat(9000)}`, "1")), /no head/],
      [form(...many), /more than 128 parts/],
      [form(part(field("a"), Buffer.alloc(1024 * 1024 + 1))), /larger than 1 MiB/],
    ];
    for (const [body, why] of wrong) expect(() => parseForm(body, "b")).toThrow(why);
  });

  it("ends in a form or a clean refusal, whatever is sent", () => {
    const pieces = fc.constantFrom(
      "--b",
      "\r\n",
      "--",
      "\r\n\r\n",
      field("a"),
      "x",
      '; filename="',
      ":",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (texts) => {
        try {
          parseForm(Buffer.from(texts.join("")), "b");
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
