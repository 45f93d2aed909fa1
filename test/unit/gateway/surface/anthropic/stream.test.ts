import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { chatModel, startHarness, type Harness } from "../../harness.ts";
import { agentModel, ask, say, weather } from "./agent.ts";

// Agents follow these events one by one: one that is missing or out of order ends an agent's run.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ models: [chatModel, agentModel] });
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

/** The events of a stream: name and data. */
async function events(response: Response): Promise<readonly (readonly [string, unknown])[]> {
  const text = await response.text();
  return text
    .split("\n\n")
    .filter((frame) => frame.startsWith("event: "))
    .map((frame) => {
      const [name = "", data = ""] = frame.split("\n");
      const body = JSON.parse(data.slice("data: ".length)) as { type: string };
      expect(name).toBe(`event: ${body.type}`);
      const { type, ...rest } = body;
      return [type, rest] as const;
    });
}

describe("a streamed message", () => {
  const text = (index: number, piece: string) =>
    ["content_block_delta", { index, delta: { type: "text_delta", text: piece } }] as const;
  const textStart = (index: number) =>
    ["content_block_start", { index, content_block: { type: "text", text: "" } }] as const;
  const stop = (index: number) => ["content_block_stop", { index }] as const;

  it("has Anthropic's events in their order, to the byte", async () => {
    say(harness, ['a "ü"\n', "b"]);
    const response = await ask(harness, { model: "acme/chat", stream: true });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(await response.text()).toBe(
      'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_id2","type":"message","role":"assistant","model":"acme/chat","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}\n\n' +
        'event: ping\ndata: {"type":"ping"}\n\n' +
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n' +
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a \\"ü\\"\\n"}}\n\n' +
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}}\n\n' +
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n' +
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":9,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":4}}\n\n' +
        'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    );
  });

  it("has a block for each thought, text and call", async () => {
    say(harness, [
      { type: "reasoning", text: "h" },
      { type: "reasoning", text: "m" },
      "I look.",
      { type: "tool_call", index: 0, id: "t1", name: "weather", arguments: "" },
      { type: "tool_call", index: 0, arguments: '{"city":' },
      { type: "tool_call", index: 0, arguments: '"Rome"}' },
      { type: "tool_call", index: 1, id: "t2", name: "weather", arguments: "{}" },
      "Done.",
    ]);
    const thought = (piece: string) =>
      [
        "content_block_delta",
        { index: 0, delta: { type: "thinking_delta", thinking: piece } },
      ] as const;
    const call = (index: number, id: string) =>
      [
        "content_block_start",
        { index, content_block: { type: "tool_use", id, name: "weather", input: {} } },
      ] as const;
    const json = (index: number, piece: string) =>
      [
        "content_block_delta",
        { index, delta: { type: "input_json_delta", partial_json: piece } },
      ] as const;
    const read = await events(await ask(harness, { stream: true, tools: [weather] }));
    expect(read.slice(2, -2)).toEqual([
      [
        "content_block_start",
        { index: 0, content_block: { type: "thinking", thinking: "", signature: "" } },
      ],
      thought("h"),
      thought("m"),
      stop(0),
      textStart(1),
      text(1, "I look."),
      stop(1),
      call(2, "t1"),
      json(2, '{"city":'),
      json(2, '"Rome"}'),
      stop(2),
      call(3, "t2"),
      json(3, "{}"),
      stop(3),
      textStart(4),
      text(4, "Done."),
      stop(4),
    ]);
    expect(read.at(-2)).toMatchObject(["message_delta", { delta: { stop_reason: "tool_use" } }]);
  });

  it("says in the stream that it broke, and does not end as a whole one", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("half");
      prediction.end();
    });
    const read = await events(await ask(harness, { stream: true }));
    expect(read.at(-1)).toEqual([
      "error",
      {
        error: { type: "api_error", message: expect.stringContaining("without its final one") },
        request_id: "req_id1",
      },
    ]);
    expect(read.map(([name]) => name)).not.toContain("message_stop");
  });

  it("is an HTTP error while nothing has been said", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ status: "failed", error: "it broke", output: [] });
    });
    const response = await ask(harness, { stream: true });
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ error: { type: "api_error" } });
  });
});
