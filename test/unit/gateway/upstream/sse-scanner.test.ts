import { describe, expect, it } from "vitest";

import { createSseScanner } from "../../../../gateway/upstream/sse-scanner.ts";

// Bytes as coglet 0.23.1 sent them; a split at any place must give the same events.
const recorded =
  'event: start\ndata: {"id":"abc","status":"processing"}\n\n' +
  ": keep-alive\n\n" +
  'event: metric\ndata: {"mode":"replace","name":"input_tokens","value":5}\n\n' +
  'event: output\ndata: {"chunk":"w0 ü\\n","index":0}\n\n' +
  'event: completed\ndata: {"id":"abc","logs":"log line 0\\n","metrics":{"predict_time":0.9},"output":["w0 ü\\n"],"status":"succeeded"}\n\n';

const events = [
  ["start", '{"id":"abc","status":"processing"}'],
  ["metric", '{"mode":"replace","name":"input_tokens","value":5}'],
  ["output", '{"chunk":"w0 ü\\n","index":0}'],
  [
    "completed",
    '{"id":"abc","logs":"log line 0\\n","metrics":{"predict_time":0.9},"output":["w0 ü\\n"],"status":"succeeded"}',
  ],
];

function scan(chunks: readonly Buffer[]): string[][] {
  const found: string[][] = [];
  const scanner = createSseScanner({
    eventBytesMax: 1024,
    onEvent: (name, data) => found.push([name, data.toString("utf8")]),
  });
  for (const chunk of chunks) scanner.push(chunk);
  return found;
}

describe("the scanner of server-sent events", () => {
  it.each([
    ["LF", recorded],
    ["CRLF", recorded.replaceAll("\n", "\r\n").replaceAll("\\\r\n", "\\n")],
  ])("finds the same events wherever the bytes are split (%s)", (_name, text) => {
    const bytes = Buffer.from(text);
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(scan([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(events);
    }
    expect(scan(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(events);
  });

  it("joins data lines, takes a field without a space, drops what has no data", () => {
    expect(scan([Buffer.from("data:a\ndata: b\n\nevent: x\n\nid: 1\ndata\n\n")])).toEqual([
      ["message", "a\nb"],
      ["message", ""],
    ]);
  });

  it("keeps an unfinished event to itself, and refuses one without end", () => {
    expect(scan([Buffer.from("data: half\n")])).toEqual([]);
    expect(() => scan([Buffer.from(`data: ${"x".repeat(2000)}`)])).toThrow(RangeError);
  });
});
