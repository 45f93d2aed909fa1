// A provider's stream passes through as bytes. If an event were cut in two, joined with the next or taken for the last
// one, callers would lose text, or take a broken answer for a whole one.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createFrameSplitter } from "../../../../../gateway/upstream/provider/frame-splitter.ts";
import type { WireFormat } from "../../../../../gateway/upstream/provider/adapter.ts";
import {
  isOpening,
  readFrame,
  usageIn,
} from "../../../../../gateway/upstream/provider/wire-format.ts";

function split(chunks: readonly (string | Buffer)[], frameBytesMax = 1_000): readonly string[] {
  const frames: string[] = [];
  const onFrame = (frame: Buffer): void => void frames.push(frame.toString("utf8"));
  const splitter = createFrameSplitter({ frameBytesMax, onFrame });
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  return frames;
}

describe("cutting a stream into events", () => {
  it.each([
    ["line feeds", ["data: 1\n\ndata: 2\n\n"], ["data: 1\n\n", "data: 2\n\n"]],
    [
      "carriage returns",
      ["data: 1\r\n\r\ndata: 2\r\n\r\n"],
      ["data: 1\r\n\r\n", "data: 2\r\n\r\n"],
    ],
    ["several lines in one", ["event: a\ndata: 1\n\n"], ["event: a\ndata: 1\n\n"]],
    ["empty lines between them", ["data: 1\n\n\n\ndata: 2\n\n"], ["data: 1\n\n", "data: 2\n\n"]],
    ["an end that has not come", ["data: 1\n\ndata: 2\n"], ["data: 1\n\n"]],
  ])("with %s", (_, chunks, frames) => {
    expect(split(chunks)).toEqual(frames);
  });

  it("does it alike wherever the network cuts, in the middle of a character too", () => {
    const text = 'data: é1\n\nevent: x\r\ndata: 2\r\n\r\n: ping\n\ndata: {"a":"\\n"}\n\n';
    const bytes = Buffer.from(text);
    const whole = split([bytes]);
    expect(whole).toHaveLength(4);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
        const ends = [...cuts.toSorted((a, b) => a - b), bytes.length];
        const chunks = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
        expect(split(chunks)).toEqual(whole);
      }),
    );
  });

  it("stops at an event without end", () => {
    expect(() => split(["data: ".padEnd(600, "x"), "y".repeat(600)])).toThrow(RangeError);
  });
});

const chunk = (fields: object): Buffer => Buffer.from(`data: ${JSON.stringify(fields)}\n\n`);

describe("whether an answer has begun", () => {
  it.each<[WireFormat, string, unknown]>([
    ["chat-completions", "", { choices: [{ delta: { role: "assistant", content: "" } }] }],
    ["chat-completions", "", { choices: [{ delta: { role: "assistant", content: null } }] }],
    ["chat-completions", "", { choices: [], prompt_filter_results: [] }],
    ["completions", "", { choices: [{ text: "", finish_reason: null }] }],
    ["messages", "message_start", { message: {} }],
    ["messages", "content_block_start", { content_block: { type: "text", text: "" } }],
    ["messages", "ping", {}],
    ["responses", "response.created", { response: {} }],
    ["responses", "response.content_part.added", { part: { text: "" } }],
  ])("of %s not with %s %j", (format, name, data) => {
    expect(isOpening(format, event(name, data))).toBe(true);
  });

  it.each<[WireFormat, string, unknown]>([
    ["chat-completions", "", { choices: [{ delta: { role: "assistant", content: "H" } }] }],
    ["chat-completions", "", { choices: [{ delta: { reasoning_content: "H" } }] }],
    ["chat-completions", "", { choices: [{ delta: { tool_calls: [{ index: 0 }] } }] }],
    ["chat-completions", "", { choices: [{ delta: {}, finish_reason: "stop" }] }],
    ["completions", "", { choices: [{ text: "H", finish_reason: null }] }],
    ["messages", "content_block_start", { content_block: { type: "tool_use", id: "t" } }],
    ["messages", "content_block_delta", { delta: { type: "text_delta", text: "H" } }],
    ["responses", "response.output_text.delta", { delta: "H" }],
  ])("of %s with %s %j", (format, name, data) => {
    expect(isOpening(format, event(name, data))).toBe(false);
  });
});

function event(name: string, data: unknown): Buffer {
  const first = name === "" ? "" : `event: ${name}\n`;
  return Buffer.from(`${first}data: ${JSON.stringify(data)}\n\n`);
}

describe("what an event is", () => {
  it.each([
    ["a comment", Buffer.from(": ping\n\n"), { kind: "comment" }],
    ["the end", Buffer.from("data: [DONE]\n\n"), { kind: "last" }],
    [
      "a text that says [DONE]",
      chunk({ choices: [{ delta: { content: "data: [DONE]" } }] }),
      { kind: "piece" },
    ],
    [
      "a text that says error",
      chunk({ choices: [{ delta: { content: '"error":' } }] }),
      { kind: "piece" },
    ],
    [
      "an error in a stream of status 200",
      chunk({ error: { message: "overloaded" } }),
      { kind: "failed", message: "overloaded" },
    ],
    ["no error", chunk({ error: null, choices: [] }), { kind: "piece" }],
    [
      "a count alone",
      chunk({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } }),
      { kind: "usage", metrics: { input_tokens: 3, output_tokens: 4 } },
    ],
    [
      "a count with a piece, as some servers send it with every one",
      chunk({ choices: [{ delta: {} }], usage: { prompt_tokens: 3, completion_tokens: 4 } }),
      { kind: "piece", metrics: { input_tokens: 3, output_tokens: 4 } },
    ],
  ])("in a chat: %s", (_, frame, reading) => {
    expect(readFrame("chat-completions", frame)).toEqual(reading);
  });

  it.each([
    ["message_stop", { type: "message_stop" }, { kind: "last" }],
    ["ping", { type: "ping" }, { kind: "piece" }],
    ["error", { error: { message: "Overloaded" } }, { kind: "failed", message: "Overloaded" }],
    [
      "message_start",
      { message: { usage: { input_tokens: 5, cache_read_input_tokens: 2, output_tokens: 1 } } },
      { kind: "piece", metrics: { input_tokens: 7, cached_tokens: 2 } },
    ],
    [
      "message_delta",
      { usage: { output_tokens: 9 } },
      { kind: "piece", metrics: { output_tokens: 9 } },
    ],
  ])("in Anthropic's messages: %s", (name, data, reading) => {
    const frame = Buffer.from(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    expect(readFrame("messages", frame)).toEqual(reading);
  });

  it.each<[string, Record<string, unknown>, unknown]>([
    ["response.created", { response: { usage: null } }, { kind: "piece" }],
    ["response.output_text.delta", { delta: '"usage":{}' }, { kind: "piece" }],
    [
      "response.completed",
      {
        response: {
          tools: [{ parameters: { properties: { usage: { type: "object" } } } }],
          usage: {
            input_tokens: 5,
            output_tokens: 3,
            input_tokens_details: { cached_tokens: 2 },
            output_tokens_details: { reasoning_tokens: 1 },
          },
        },
      },
      {
        kind: "last",
        metrics: { input_tokens: 5, output_tokens: 3, cached_tokens: 2, reasoning_tokens: 1 },
      },
    ],
    ["response.incomplete", { response: { usage: null } }, { kind: "last" }],
    [
      "response.failed",
      { response: { error: { code: "server_error", message: "overloaded" } } },
      { kind: "failed", message: "overloaded" },
    ],
    ["error", { type: "error", message: "overloaded" }, { kind: "failed", message: "overloaded" }],
  ])("in a response: %s", (name, data, reading) => {
    const frame = Buffer.from(
      `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`,
    );
    expect(readFrame("responses", frame)).toEqual(reading);
  });

  it.each<[string, string]>([
    ["JSON that breaks off", 'data: {"choices":[{"delta":{"content":"th\n\n'],
    ["JSON that breaks off after a brace", 'data: {"choices":[{"delta":{}\n\n'],
    ["JSON with something after it", 'data: {"choices":[]} data: {}\n\n'],
    ["a text", "data: <html></html>\n\n"],
    ["nothing", "data:\n\n"],
  ])("is broken with %s", (_, frame) => {
    expect(readFrame("chat-completions", Buffer.from(frame))).toEqual({ kind: "broken" });
  });

  it.each<[string, string]>([
    ["carriage returns", 'data: {"choices":[]}\r\n\r\n'],
    ["no space", 'data:{"choices":[]}\n\n'],
    ["JSON over several lines", 'data: {"choices":\ndata: []}\n\n'],
    ["a name after the data", 'data: {"choices":[]}\nevent: chunk\n\n'],
    ["brackets in a text", 'data: {"choices":[{"delta":{"content":"}]\\"{"}}]}\n\n'],
    ["no data at all", "retry: 500\n\n"],
  ])("is not broken by %s", (_, frame) => {
    expect(readFrame("chat-completions", Buffer.from(frame))).toEqual({ kind: "piece" });
  });

  it("does not take a text about usage for the usage", () => {
    const answer = { choices: [{ message: { content: 'it said "usage":{"prompt_tokens":1}' } }] };
    expect(usageIn(Buffer.from(JSON.stringify(answer)))).toBeUndefined();
  });
});
