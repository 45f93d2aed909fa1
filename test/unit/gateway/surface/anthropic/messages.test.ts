import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { chatModel, ocrModel, startHarness, StartError, type Harness } from "../../harness.ts";
import { agentModel, ask, hi, key, say, weather } from "./agent.ts";

// Anthropic's Messages API on own models. Its SDKs and agents rely on these shapes to the letter.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ models: [chatModel, ocrModel, agentModel] });
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

describe("a message", () => {
  it("answers with the model's text, its counts and why it ended", async () => {
    say(harness, ["Hel", "lo"], { input_tokens: 9, output_tokens: 4, cached_tokens: 5 });
    const response = await ask(harness, { model: "acme/chat" });
    expect(await response.json()).toEqual({
      id: "msg_id2",
      type: "message",
      role: "assistant",
      model: "acme/chat",
      content: [{ type: "text", text: "Hello", citations: null }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: {
        input_tokens: 4,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 5,
        output_tokens: 4,
      },
    });
    expect(response.headers.get("request-id")).toBe("req_id1");
    expect(response.headers.get("x-byom-start")).toBe("restored");
  });

  it("has thinking, text and calls as blocks in this order", async () => {
    say(harness, [
      { type: "reasoning", text: "hm" },
      "I look.",
      { type: "tool_call", index: 0, id: "toolu_1", name: "weather", arguments: '{"city":"Rome"}' },
    ]);
    expect(await (await ask(harness, { tools: [weather] })).json()).toMatchObject({
      content: [
        { type: "thinking", thinking: "hm", signature: "" },
        { type: "text", text: "I look." },
        { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Rome" } },
      ],
      stop_reason: "tool_use",
    });
  });

  it.each([
    ["length", "max_tokens"],
    ["content_filter", "refusal"],
  ])("that ended by %s says %s", async (reason, expected) => {
    say(harness, ["a"], { finish_reason: reason });
    const response = await ask(harness);
    expect(response.headers.get("x-byom-usage")).toBe("estimated");
    expect(await response.json()).toMatchObject({ stop_reason: expected });
  });

  it("is asked of the model in OpenAI's words", async () => {
    say(harness, ["ok"]);
    const response = await ask(harness, {
      system: [
        { type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } },
        { type: "text", text: "Be kind." },
      ],
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "what is it?" },
            { type: "image", source: { type: "base64", media_type: "image/png", data: "AA==" } },
            { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
            { type: "document", source: { type: "text", media_type: "text/plain", data: "words" } },
          ],
        },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "hm", signature: "s" },
            { type: "text", text: "I look." },
            { type: "tool_use", id: "t1", name: "weather", input: { city: "Rome" } },
          ],
        },
        {
          role: "user",
          content: [
            {
              type: "tool_result",
              tool_use_id: "t1",
              content: [
                { type: "text", text: "sunny" },
                {
                  type: "image",
                  source: { type: "base64", media_type: "image/png", data: "BB==" },
                },
              ],
            },
            { type: "text", text: "and?" },
          ],
        },
      ],
      tools: [weather],
      tool_choice: { type: "any", disable_parallel_tool_use: true },
      stop_sequences: ["END"],
      temperature: 0.5,
      thinking: { type: "enabled", budget_tokens: 10_000 },
      output_config: { format: { type: "json_schema", schema: { type: "object" } } },
      metadata: { user_id: "u" },
      service_tier: "auto",
    });
    expect(response.status).toBe(200);
    expect(harness.coglet.predictions[0]?.input).toEqual({
      messages: [
        { role: "system", content: "Be brief.\n\nBe kind." },
        {
          role: "user",
          content: [
            { type: "text", text: "what is it?" },
            { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } },
            { type: "image_url", image_url: { url: "https://example.com/a.png" } },
            { type: "text", text: "words" },
          ],
        },
        {
          role: "assistant",
          content: "I look.",
          tool_calls: [
            {
              id: "t1",
              type: "function",
              function: { name: "weather", arguments: '{"city":"Rome"}' },
            },
          ],
        },
        { role: "tool", tool_call_id: "t1", content: "sunny" },
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: "data:image/png;base64,BB==" } },
            { type: "text", text: "and?" },
          ],
        },
      ],
      max_tokens: 50,
      stop: ["END"],
      temperature: 0.5,
      tools: [
        {
          type: "function",
          function: {
            name: "weather",
            description: "Weather of a city",
            parameters: weather.input_schema,
          },
        },
      ],
      tool_choice: "required",
      parallel_tool_calls: false,
      reasoning_effort: "medium",
      response_format: {
        type: "json_schema",
        json_schema: { name: "answer", strict: true, schema: { type: "object" } },
      },
    });
  });

  it.each([
    [{ type: "auto" }, "auto"],
    [{ type: "none" }, "none"],
    [
      { type: "tool", name: "weather" },
      { type: "function", function: { name: "weather" } },
    ],
  ])("passes the choice %j on", async (given, expected) => {
    say(harness, ["ok"]);
    await ask(harness, { tools: [weather], tool_choice: given });
    const { tool_choice: passed = "auto" } = harness.coglet.predictions[0]?.input ?? {};
    expect(passed).toEqual(expected);
  });
});

describe("an error", () => {
  it.each<[Record<string, unknown>, string]>([
    [{ model: undefined }, "model"],
    [{ max_tokens: undefined }, "max_tokens"],
    [{ max_tokens: 0 }, "max_tokens"],
    [{ messages: [] }, "messages"],
    [{ messages: [{ role: "robot", content: "x" }] }, "messages[0].role"],
    [{ messages: [{ role: "user", content: [{ text: "x" }] }] }, "messages[0].content[0].type"],
    [
      { messages: [...hi, { role: "user", content: [{ type: "smell" }] }] },
      "messages[1].content[0].type",
    ],
    [
      { messages: [{ role: "user", content: [{ type: "image", source: { type: "file" } }] }] },
      "messages[0].content[0].source.type",
    ],
    [
      { messages: [{ role: "assistant", content: [{ type: "tool_use", id: "1", name: "f" }] }] },
      "messages[0].content[0].input",
    ],
    [{ tools: [{ name: "f" }] }, "tools[0].input_schema"],
    [{ tools: [{ type: "web_search_20250305", name: "web_search" }] }, "tools[0].type"],
    [{ tools: [weather], tool_choice: { type: "sometimes" } }, "tool_choice.type"],
    [{ output_config: { format: { type: "xml" } } }, "output_config.format"],
    [{ stream: "yes" }, "stream"],
    [{ top_k: 5 }, "top_k"],
  ])("names what is wrong with %j, before anything is woken", async (fields, path) => {
    const response = await ask(harness, fields);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      type: "error",
      error: { type: "invalid_request_error", message: expect.stringContaining(path) },
      request_id: "req_id1",
    });
    expect(response.headers.get("request-id")).toBe("req_id1");
    expect(harness.upstream.acquired).toEqual([]);
  });

  it.each<[string, Record<string, unknown>, object, number, string]>([
    ["a wrong key", {}, { "x-api-key": "wrong" }, 401, "authentication_error"],
    ["a missing model", { model: "acme/none" }, {}, 404, "not_found_error"],
    ["a model that cannot chat", { model: "acme/ocr" }, {}, 400, "invalid_request_error"],
  ])("of %s has Anthropic's status and type", async (_what, fields, headers, status, type) => {
    const response = await harness.call("/v1/messages", {
      headers: { ...key, ...headers },
      body: { model: "acme/agent", max_tokens: 5, messages: hi, ...fields },
    });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ type: "error", error: { type } });
  });

  it("of a model without room is 529, which its clients retry", async () => {
    harness.upstream.gate = () => Promise.reject(new StartError("capacity", "all busy", 2500));
    const response = await ask(harness);
    expect([response.status, response.headers.get("retry-after")]).toEqual([529, "3"]);
    expect(await response.json()).toMatchObject({ error: { type: "overloaded_error" } });
  });

  it("of a path that is not there is Anthropic's as well", async () => {
    const response = await ask(harness, {}, "/batches");
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ type: "error" });
  });
});

describe("count_tokens", () => {
  it("estimates without waking the model", async () => {
    const counted = async (fields: Record<string, unknown>): Promise<number> => {
      const response = await ask(harness, { max_tokens: undefined, ...fields }, "/count_tokens");
      expect(response.headers.get("x-byom-usage")).toBe("estimated");
      return ((await response.json()) as { input_tokens: number }).input_tokens;
    };
    const few = await counted({ messages: [{ role: "user", content: "12345678" }] });
    expect(few).toBe(2);
    expect(await counted({ system: "12345678", tools: [weather] })).toBeGreaterThan(few + 20);
    expect(harness.upstream.acquired).toEqual([]);
  });
});

describe("the list of models", () => {
  it("has Anthropic's shape for Anthropic's clients only", async () => {
    const read = async (path: string, headers: Record<string, string> = key): Promise<unknown> =>
      await (await harness.call(path, { headers })).json();
    expect(await read("/v1/models?limit=2")).toEqual({
      data: [
        expect.objectContaining({ type: "model", id: "acme/chat", display_name: "chat" }),
        expect.objectContaining({ id: "acme/ocr", created_at: "2026-11-01T00:00:00.000Z" }),
      ],
      first_id: "acme/chat",
      last_id: "acme/ocr",
      has_more: true,
    });
    expect(await read("/v1/models?after_id=acme/ocr")).toMatchObject({
      data: [{ id: "acme/agent" }],
      has_more: false,
    });
    expect(await read("/v1/models?before_id=acme/agent&limit=1")).toMatchObject({
      data: [{ id: "acme/ocr" }],
      has_more: true,
    });
    expect(await read("/v1/models/acme%2Fchat")).toMatchObject({ type: "model", id: "acme/chat" });
    expect(await read("/v1/models/acme%2Fnone")).toMatchObject({
      type: "error",
      error: { type: "not_found_error" },
    });
    expect(await read("/v1/models", {})).toMatchObject({ object: "list" });
  });
});
