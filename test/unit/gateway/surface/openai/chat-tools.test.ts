import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { CatalogEntry } from "../../../../../gateway/index.ts";
import { chatModel, startHarness, type Harness } from "../../harness.ts";

// Tools and JSON mode over OpenAI's chat. An agent that gets a call as text, or text as a call, does the wrong thing.

const toolModel: CatalogEntry = {
  ...chatModel,
  id: "acme/tools",
  inputSchema: {
    type: "object",
    properties: {
      messages: { type: "array", items: { type: "object" } },
      tools: { type: "array" },
      tool_choice: { type: "string" },
      response_format: { type: "object" },
      max_tokens: { type: "integer" },
    },
  },
};
const weather = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: {} } },
};

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ models: [toolModel] });
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

const chat = (fields: Record<string, unknown> = {}): { body: unknown } => ({
  body: {
    model: "acme/tools",
    messages: [{ role: "user", content: "hi" }],
    tools: [weather],
    ...fields,
  },
});

function say(...words: readonly string[]): void {
  harness.coglet.play(async (prediction) => {
    prediction.start();
    for (const word of words) await prediction.output(word);
    prediction.complete({ metrics: { input_tokens: 5, output_tokens: 2, cached_tokens: 3 } });
  });
}

/** The frames of a stream without what is the same in all of them. */
async function frames(response: Response): Promise<readonly unknown[]> {
  const text = await response.text();
  return text
    .split("\n\n")
    .filter((frame) => frame.startsWith("data: {"))
    .map((frame) => {
      const { choices, usage, error } = JSON.parse(frame.slice("data: ".length)) as {
        choices?: { delta: unknown; finish_reason: string | null }[];
        usage?: unknown;
        error?: unknown;
      };
      if (error !== undefined) return { error };
      const [choice] = choices ?? [];
      return choice === undefined ? { usage } : [choice.delta, choice.finish_reason];
    });
}

describe("a chat with tools", () => {
  it("gives the model the tools, and the caller the calls that it writes", async () => {
    say('<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>');
    const response = await harness.call("/v1/chat/completions", chat({ tool_choice: "required" }));
    expect(await response.json()).toMatchObject({
      choices: [
        {
          message: {
            role: "assistant",
            content: null,
            tool_calls: [
              {
                id: expect.stringMatching(/^call_/),
                type: "function",
                function: { name: "weather", arguments: '{"city":"Paris"}' },
              },
            ],
          },
          finish_reason: "tool_calls",
        },
      ],
      usage: { prompt_tokens: 5, prompt_tokens_details: { cached_tokens: 3 } },
    });
    expect(harness.coglet.predictions[0]?.input).toEqual({
      messages: [{ role: "user", content: "hi" }],
      tools: [weather],
      tool_choice: "required",
    });
  });

  it("streams text at once and a call as soon as it is whole", async () => {
    say("Let me ", "see.\n<tool", '_call>{"name":"weather","argu', 'ments":{}}</tool_call>');
    const response = await harness.call(
      "/v1/chat/completions",
      chat({ stream: true, stream_options: { include_usage: true } }),
    );
    expect(await frames(response)).toEqual([
      [{ role: "assistant", content: "" }, null],
      [{ content: "Let me" }, null],
      [{ content: " see." }, null],
      [
        {
          tool_calls: [
            {
              index: 0,
              id: expect.stringMatching(/^call_/),
              type: "function",
              function: { name: "weather", arguments: "{}" },
            },
          ],
        },
        null,
      ],
      [{}, "tool_calls"],
      { usage: expect.objectContaining({ total_tokens: 7 }) },
    ]);
  });

  it("gives what only looked like a call as the text that it is", async () => {
    say("a <tool_call>{broken", "}</tool_call>");
    const response = await harness.call("/v1/chat/completions", chat());
    expect(await response.json()).toMatchObject({
      choices: [
        { message: { content: "a <tool_call>{broken}</tool_call>" }, finish_reason: "stop" },
      ],
    });
  });

  it("keeps what was held back when the stream breaks, and says that it broke", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("text");
      await prediction.output('<tool_call>{"name":"weather"');
      prediction.end();
    });
    const response = await harness.call("/v1/chat/completions", chat({ stream: true }));
    const read = await frames(response);
    expect(read.at(1)).toEqual([{ content: "text" }, null]);
    expect(read.at(-1)).toEqual({ error: expect.objectContaining({ code: "upstream_cut" }) });
    expect(JSON.stringify(read)).not.toContain("tool_calls");
  });

  it("passes a JSON schema on, and a conversation with calls and results", async () => {
    say('{"ok":true}');
    const format = {
      type: "json_schema",
      json_schema: { name: "a", schema: { type: "object" } },
    };
    const messages = [
      { role: "user", content: "hi" },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "1", type: "function", function: { name: "weather", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "1", content: "sunny" },
    ];
    const response = await harness.call(
      "/v1/chat/completions",
      chat({ messages, response_format: format }),
    );
    expect(response.status).toBe(200);
    expect(harness.coglet.predictions[0]?.input).toMatchObject({
      messages,
      response_format: format,
    });
  });
});

describe("what one answer cannot hold", () => {
  it.each([
    ["n", 2],
    ["logprobs", true],
    ["stream", "yes"],
  ])("%s = %j is refused", async (name, value) => {
    const response = await harness.call("/v1/chat/completions", chat({ [name]: value }));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { param: name } });
    expect(harness.upstream.acquired).toEqual([]);
  });
});
