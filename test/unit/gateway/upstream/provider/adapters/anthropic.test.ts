// Claude's models: a chat in OpenAI's words becomes a message in Anthropic's, and the other way round.
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { GatewayError } from "../../../../../../gateway/errors.ts";
import { anthropic } from "../../../../../../gateway/upstream/provider/adapters/anthropic.ts";
import {
  cutAfter,
  sse,
  stall,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";
import {
  runAdapter,
  type AdapterAnswer,
  type AdapterRun,
} from "../../../../../support/run-adapter.ts";
import {
  anthropicError,
  anthropicFrames,
  anthropicKey,
  blockOf,
  event,
  startAnthropicDouble,
} from "../doubles/anthropic.ts";

let double: ProviderDouble;
beforeEach(async () => {
  double = await startAnthropicDouble();
});
afterEach(() => double[Symbol.asyncDispose]());

function chat(
  input: Readonly<Record<string, unknown>> = { prompt: "Hi" },
  options: Partial<AdapterRun> = {},
): Promise<AdapterAnswer> {
  return runAdapter({
    adapter: anthropic,
    baseUrl: double.baseUrl,
    key: anthropicKey,
    model: "claude-sonnet-5-5",
    task: "text-generation",
    input,
    ...options,
  });
}

const sent = (index = 0): unknown => double.requests[index]?.body;
const version = (index = 0): unknown => double.requests[index]?.headers["anthropic-version"];

describe("a message", () => {
  it("streams thinking and text apart, and counts cached input as a part of the input", async () => {
    const { emitted, metrics } = await chat({ prompt: "Hi", system_prompt: "Be short" });
    expect(emitted).toEqual([{ type: "reasoning", text: "hm" }, "Hel", "lo"]);
    expect(metrics).toEqual({
      input_tokens: 15,
      cached_tokens: 4,
      cache_write_tokens: 1,
      output_tokens: 12,
      reasoning_tokens: 5,
      finish_reason: "stop",
    });
    expect(sent()).toEqual({
      model: "claude-sonnet-5-5",
      max_tokens: 8192,
      system: "Be short",
      messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
      stream: true,
    });
    expect(version()).toBe("2026-10-21");
  });

  it("uses the version that still samples, only for calls that sample", async () => {
    await chat({ prompt: "Hi", temperature: 0, top_k: 5 });
    expect(version()).toBe("2023-06-01");
    expect(sent()).toMatchObject({ temperature: 0, top_k: 5 });
  });

  it("takes images as data and as URLs, and documents", async () => {
    await chat({
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "Look" },
            { type: "image_url", image_url: { url: "data:image/png;base64,AAEC" } },
            { type: "image_url", image_url: { url: "https://example.com/a.png" } },
            { type: "file", file: { file_data: "data:application/pdf;base64,AAEC" } },
          ],
        },
      ],
    });
    expect(sent()).toMatchObject({
      messages: [
        {
          content: [
            { type: "text", text: "Look" },
            { type: "image", source: { type: "base64", media_type: "image/png", data: "AAEC" } },
            { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
            { type: "document", source: { media_type: "application/pdf" } },
          ],
        },
      ],
    });
    const bmp = [{ type: "image_url", image_url: { url: "data:image/bmp;base64,AAEC" } }];
    await expect(chat({ messages: [{ role: "user", content: bmp }] })).rejects.toMatchObject({
      code: "invalid_input",
    });
  });

  it("carries a conversation with tools there and back", async () => {
    double.next(
      sse(
        anthropicFrames(
          [
            ...blockOf(0, { type: "text", text: "" }, [{ type: "text_delta", text: "Looking" }]),
            ...blockOf(1, { type: "tool_use", id: "toolu_1", name: "weather", input: {} }, [
              { type: "input_json_delta", partial_json: "" },
              { type: "input_json_delta", partial_json: '{"city":"Ulm"}' },
            ]),
            ...blockOf(2, { type: "tool_use", id: "toolu_2", name: "now", input: {} }, []),
          ],
          "tool_use",
        ),
      ),
    );
    const parameters = { type: "object", properties: { city: { type: "string" } } };
    const { emitted, metrics } = await chat({
      messages: [
        { role: "system", content: "Use tools" },
        { role: "user", content: "Weather?" },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            {
              id: "t1",
              type: "function",
              function: { name: "weather", arguments: '{"city":"A"}' },
            },
            {
              id: "t2",
              type: "function",
              function: { name: "weather", arguments: '{"city":"B"}' },
            },
          ],
        },
        { role: "tool", tool_call_id: "t1", content: "sun" },
        { role: "tool", tool_call_id: "t2", content: "rain" },
      ],
      tools: [{ type: "function", function: { name: "weather", parameters } }],
      tool_choice: "required",
      parallel_tool_calls: false,
    });
    expect(sent()).toMatchObject({
      system: "Use tools",
      messages: [
        { role: "user" },
        {
          role: "assistant",
          content: [
            { type: "tool_use", id: "t1", input: { city: "A" } },
            { type: "tool_use", id: "t2", input: { city: "B" } },
          ],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "t1", content: "sun" },
            { type: "tool_result", tool_use_id: "t2", content: "rain" },
          ],
        },
      ],
      tools: [{ name: "weather", input_schema: parameters }],
      tool_choice: { type: "any", disable_parallel_tool_use: true },
    });
    expect(emitted).toEqual([
      "Looking",
      { type: "tool_call", index: 0, id: "toolu_1", name: "weather", arguments: "" },
      { type: "tool_call", index: 0, arguments: '{"city":"Ulm"}' },
      { type: "tool_call", index: 1, id: "toolu_2", name: "now", arguments: "" },
      { type: "tool_call", index: 1, arguments: "{}" },
    ]);
    expect(metrics["finish_reason"]).toBe("tool_calls");
  });

  it.each([
    ["none", { type: "none" }],
    ["auto", { type: "auto" }],
    [
      { type: "function", function: { name: "f" } },
      { type: "tool", name: "f" },
    ],
  ])("says which tool is to be used: %j", async (choice, expected) => {
    const tools = [{ type: "function", function: { name: "f" } }];
    await chat({ prompt: "Hi", tools, tool_choice: choice });
    expect(sent()).toMatchObject({ tool_choice: expected });
  });

  it("asks for JSON of a schema, and refuses JSON without one", async () => {
    const schema = { type: "object", properties: {} };
    const format = { type: "json_schema", json_schema: { name: "x", schema } };
    await chat({ prompt: "Hi", response_format: format });
    expect(sent()).toMatchObject({ output_config: { format: { type: "json_schema", schema } } });
    await expect(
      chat({ prompt: "Hi", response_format: { type: "json_object" } }),
    ).rejects.toMatchObject({ code: "unsupported_parameter", parameter: "response_format" });
  });

  it("lets new models choose how much they think, and gives old ones a budget", async () => {
    await chat({ prompt: "Hi", reasoning_effort: "high" });
    expect(sent(0)).toMatchObject({
      thinking: { type: "adaptive" },
      output_config: { effort: "high" },
    });
    await chat({ prompt: "Hi", reasoning_effort: "medium" }, { model: "claude-haiku-4-5" });
    expect(sent(1)).toMatchObject({ thinking: { type: "enabled", budget_tokens: 4096 } });
    await chat({ prompt: "Hi", reasoning_effort: "none" });
    expect(sent(2)).toMatchObject({ thinking: { type: "disabled" } });
    await expect(
      chat(
        { prompt: "Hi", reasoning_effort: "low", max_tokens: 100 },
        { model: "claude-opus-4-5" },
      ),
    ).rejects.toMatchObject({ code: "invalid_input", parameter: "max_tokens" });
  });

  it.each(["seed", "frequency_penalty", "logit_bias"])("refuses %s", async (name) => {
    await expect(chat({ prompt: "Hi", [name]: 1 })).rejects.toMatchObject({
      code: "unsupported_parameter",
      parameter: name,
    });
    expect(double.requests).toHaveLength(0);
  });
});

describe("failures", () => {
  it("hears an error in the middle of the stream", async () => {
    const error = { error: { type: "overloaded_error", message: "Overloaded" } };
    double.next(sse([...anthropicFrames().slice(0, 5), event("error", error)]));
    const failure: unknown = await chat().catch((reason: unknown) => reason);
    expect(failure).toMatchObject({ code: "upstream_failed", retryAfterMs: 5_000 });
    expect((failure as Error).message).toContain("Overloaded");
  });

  it("does not take a stream without its last event for a whole answer", async () => {
    double.next(sse(anthropicFrames().slice(0, -1)), cutAfter(anthropicFrames().slice(0, -2)));
    await expect(chat()).rejects.toMatchObject({ code: "upstream_cut" });
    await expect(chat()).rejects.toMatchObject({ code: "upstream_cut" });
  });

  it("keeps the pause of a rate limit and tells a refusal's reason", async () => {
    double.next(
      anthropicError(429, "rate_limit_error", "Too many", { "retry-after": "7" }),
      anthropicError(400, "invalid_request_error", "max_tokens: too large"),
    );
    await expect(chat()).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 7_000 });
    await expect(chat()).rejects.toMatchObject({
      code: "invalid_input",
      message: "anthropic refused the input (400): max_tokens: too large",
    });
  });

  it("says that a model refused, and that its window was full", async () => {
    double.next(sse(anthropicFrames([], "refusal")), sse(anthropicFrames([], "max_tokens")));
    expect((await chat()).metrics["finish_reason"]).toBe("content_filter");
    expect((await chat()).metrics["finish_reason"]).toBe("length");
  });

  it("leaves the connection when the call is aborted", async () => {
    double.next(stall(anthropicFrames().slice(0, 5)));
    const abort = new AbortController();
    const reason = new GatewayError("canceled", "over");
    const work = chat(
      { prompt: "Hi" },
      { signal: abort.signal, onEmit: () => abort.abort(reason) },
    );
    await expect(work).rejects.toBe(reason);
    await double.requests[0]?.closed;
  });
});
