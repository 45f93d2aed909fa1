import { describe, expect, it } from "vitest";

import { createChatReader } from "../../../../gateway/chat/create-reader.ts";
import type { ChatDelta, ChatResult } from "../../../../gateway/chat/reader.ts";
import type { CatalogEntry } from "../../../../gateway/index.ts";
import type { Outcome } from "../../../../gateway/prediction/run.ts";
import { chatModel } from "../harness.ts";

// What every chat surface frames. A piece that is read wrong here is wrong for every client.

const tools = [{ type: "function", function: { name: "f" } }];

function read(options: {
  readonly chunks?: readonly unknown[];
  readonly request?: Readonly<Record<string, unknown>>;
  readonly entry?: CatalogEntry;
  readonly input?: object;
  readonly outcome?: Partial<Outcome>;
}): { readonly deltas: readonly ChatDelta[]; readonly result: ChatResult } {
  const { chunks = [], request = {}, entry = chatModel, outcome = {} } = options;
  const { input = { prompt: "12345678" } } = options;
  const run = { id: "id1", entry, request: { input } };
  const reader = createChatReader(run as never, { request });
  const deltas = chunks.flatMap((chunk, index) =>
    reader.read({ index, kind: "output", data: Buffer.from(JSON.stringify({ chunk, index })) }),
  );
  const end = reader.finish({
    status: "succeeded",
    output: null,
    logs: "",
    metrics: {},
    ...outcome,
  });
  return { deltas: [...deltas, ...end.deltas], result: end.result };
}

describe("a chat answer", () => {
  it("is text as it comes", () => {
    const { deltas, result } = read({ chunks: ["Hel", "lo", ""] });
    expect(deltas).toEqual([
      { type: "text", text: "Hel" },
      { type: "text", text: "lo" },
    ]);
    expect(result).toMatchObject({ text: "Hello", reasoning: "", toolCalls: [] });
  });

  it("is the whole output when no event was read", () => {
    const output = ["Hel", { type: "reasoning", text: "hm" }, "lo"];
    expect(read({ outcome: { output } }).result).toMatchObject({ text: "Hello", reasoning: "hm" });
    expect(read({ outcome: { output: "Hello" } }).result.text).toBe("Hello");
    expect(read({ chunks: [["Hel", "lo"]] }).result.text).toBe("Hello");
  });

  it("has the calls that a provider tells of, piece by piece", () => {
    const { deltas, result } = read({
      chunks: [
        { type: "tool_call", index: 0, id: "c1", name: "f", arguments: "" },
        { type: "tool_call", index: 0, arguments: '{"a":' },
        { type: "tool_call", index: 0, arguments: "1}" },
        { type: "tool_call", index: 1, name: "g" },
      ],
      request: { tools },
    });
    expect(deltas).toEqual([
      { type: "tool_call", index: 0, id: "c1", name: "f", arguments: "" },
      { type: "tool_call", index: 0, arguments: '{"a":' },
      { type: "tool_call", index: 0, arguments: "1}" },
      { type: "tool_call", index: 1, id: "call_id1_1", name: "g", arguments: "" },
    ]);
    expect(result.finishReason).toBe("tool_calls");
    expect(result.toolCalls).toEqual([
      { id: "c1", name: "f", arguments: '{"a":1}' },
      { id: "call_id1_1", name: "g", arguments: "" },
    ]);
  });

  it("has the calls that an own model writes, but only when it was given tools", () => {
    const chunks = ["See: ", "<tool_", 'call>{"name":"f","arguments":{"a":1}}</tool', "_call>"];
    const { deltas, result } = read({ chunks, request: { tools } });
    expect(deltas).toEqual([
      { type: "text", text: "See:" },
      { type: "tool_call", index: 0, id: "call_id1_0", name: "f", arguments: '{"a":1}' },
    ]);
    expect(result).toMatchObject({ text: "See:", finishReason: "tool_calls" });
    for (const request of [{}, { tools: [] }, { tools, tool_choice: "none" }]) {
      const plain = read({ chunks, request });
      expect(plain.result).toMatchObject({ text: chunks.join(""), finishReason: "stop" });
    }
  });

  it("is the part of the output that the mapping names", () => {
    const entry = { ...chatModel, mapping: { output: "data.0.text" } };
    const piece = { data: [{ text: "Hello" }], cost: 1 };
    expect(read({ entry, chunks: [piece] }).result.text).toBe("Hello");
    expect(read({ entry, outcome: { output: piece } }).result.text).toBe("Hello");
    const lines = { ...chatModel, mapping: { output: "lines" }, outputSchema: { type: "object" } };
    expect(read({ entry: lines, chunks: [{ lines: ["a", "b"] }] }).result.text).toBe("a\nb");
    expect(read({ entry, chunks: [{ other: 1 }] }).result.text).toBe("");
  });
});

describe("its end", () => {
  const call = { type: "tool_call", index: 0, id: "c", name: "f" };
  it.each<[object, object, readonly unknown[], string]>([
    [{}, {}, ["a"], "stop"],
    [{ finish_reason: "length" }, {}, ["a"], "length"],
    [{ finish_reason: "content_filter" }, {}, ["a"], "content_filter"],
    [{ finish_reason: "eos" }, {}, ["a"], "stop"],
    [{ finish_reason: "constructor" }, {}, ["a"], "stop"],
    [{ finish_reason: "tool_calls" }, {}, ["a"], "stop"],
    [{ finish_reason: "stop" }, {}, [call], "tool_calls"],
    [{ finish_reason: "length" }, {}, [call], "length"],
    [{ input_tokens: 1, output_tokens: 4 }, { max_tokens: 4 }, ["a"], "length"],
    [{ input_tokens: 1, output_tokens: 4 }, { max_completion_tokens: 5 }, ["a"], "stop"],
    [{ finish_reason: "stop", output_tokens: 4 }, { max_tokens: 4 }, ["a"], "stop"],
  ])("with metrics %j and request %j of %j is %s", (metrics, request, chunks, expected) => {
    const { result } = read({
      chunks,
      request: { tools, ...request },
      outcome: { metrics: { ...metrics } },
    });
    expect(result.finishReason).toBe(expected);
  });

  it("counts as the model counted, or guesses and says so", () => {
    const metrics = { input_tokens: 9, output_tokens: 7, cached_tokens: 4, reasoning_tokens: 2 };
    expect(read({ chunks: ["a"], outcome: { metrics } }).result.usage).toEqual({
      inputTokens: 9,
      outputTokens: 7,
      cachedTokens: 4,
      reasoningTokens: 2,
      isEstimated: false,
    });
    const guessed = read({ chunks: ["12345678", { type: "reasoning", text: "1234" }] });
    expect(guessed.result.usage).toEqual({ inputTokens: 2, outputTokens: 3, isEstimated: true });
    const messages = [{ role: "user", content: [{ type: "text", text: "1234567890" }] }];
    const renamed = read({ chunks: ["a"], request: { messages }, input: { talk: messages } });
    expect(renamed.result.usage.inputTokens).toBe(3);
  });
});

describe("plain text", () => {
  const output = (chunk: unknown) => ({
    index: 0,
    kind: "output" as const,
    data: Buffer.from(JSON.stringify({ chunk, index: 0 })),
  });
  const run = { id: "id1", entry: chatModel, request: { input: {} } };

  it("goes on as bytes, and counts", () => {
    const reader = createChatReader(run as never, { request: {} });
    expect(reader.plainText(output('a"ü'))?.toString()).toBe('"a\\"ü"');
    expect(reader.plainText(output(["a"]))).toBeUndefined();
    expect(reader.plainText(output({ type: "reasoning", text: "x" }))).toBeUndefined();
    const outcome = { status: "succeeded", output: ['a"ü'], logs: "", metrics: {} } as const;
    const { deltas, result } = reader.finish(outcome);
    expect(deltas).toEqual([]);
    expect(result.usage.outputTokens).toBe(2);
  });

  it("is read when it may hold a call", () => {
    const reader = createChatReader(run as never, { request: { tools } });
    expect(reader.plainText(output("a"))).toBeUndefined();
  });
});
