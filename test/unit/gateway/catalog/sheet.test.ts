// What an operator loses when these fail: newer prices in the right unit, and the old ones when the new are rubbish.
import { describe, expect, it } from "vitest";

import { readSheet } from "../../../../gateway/catalog/sheet/read-sheet.ts";
import { decimalUsd } from "../../../../gateway/catalog/sheet/sheet.ts";

const read = (document: unknown): ReturnType<typeof readSheet> =>
  readSheet(document, {
    source: "list.json",
    readAt: "2026-11-23T12:00:00.000Z",
    canCall: (provider) => provider !== "mistral",
  });

it("reads LiteLLM's list: prices a token become prices a million, names lose the provider", () => {
  const sheet = read({
    sample_spec: { litellm_provider: "one of …", mode: "chat" },
    "gpt-5.4": {
      litellm_provider: "openai",
      mode: "chat",
      max_input_tokens: 922_000,
      max_output_tokens: 128_000,
      input_cost_per_token: 2.5e-6,
      cache_read_input_token_cost: 2.5e-7,
      output_cost_per_token: 1.5e-5,
      supports_function_calling: true,
      supports_response_schema: true,
      supports_vision: true,
      supports_reasoning: true,
    },
    "gemini/imagen-4.0-generate-001": {
      litellm_provider: "gemini",
      mode: "image_generation",
      output_cost_per_image: 0.04,
    },
    "whisper-1": {
      litellm_provider: "openai",
      mode: "audio_transcription",
      input_cost_per_second: 0.0001,
      output_cost_per_second: 0,
    },
    "tts-1": { litellm_provider: "openai", mode: "audio_speech", input_cost_per_character: 1.5e-5 },
    "cloudflare/@cf/meta/llama-2-7b-chat-fp16": {
      litellm_provider: "cloudflare",
      mode: "chat",
      max_tokens: "3072",
      input_cost_per_token: 1.923e-6,
    },
    "bedrock/x": { litellm_provider: "bedrock", mode: "chat" },
    "omni-moderation": { litellm_provider: "openai", mode: "moderation" },
  });
  expect(sheet.format).toBe("litellm");
  expect(sheet.models).toEqual([
    {
      provider: "openai",
      model: "gpt-5.4",
      task: "text-generation",
      contextLength: 922_000,
      maxOutputTokens: 128_000,
      modalities: { input: ["text", "image"], output: ["text"] },
      capabilities: ["tools", "json", "vision", "reasoning"],
      prices: [
        { unit: "input-token", per: 1_000_000, usd: "2.5" },
        { unit: "cached-input-token", per: 1_000_000, usd: "0.25" },
        { unit: "output-token", per: 1_000_000, usd: "15" },
      ],
    },
    {
      provider: "google",
      model: "imagen-4.0-generate-001",
      task: "text-to-image",
      capabilities: [],
      prices: [{ unit: "image", per: 1, usd: "0.04" }],
    },
    {
      provider: "openai",
      model: "whisper-1",
      task: "automatic-speech-recognition",
      capabilities: [],
      prices: [{ unit: "second", per: 1, usd: "0.0001" }],
    },
    {
      provider: "openai",
      model: "tts-1",
      task: "text-to-speech",
      capabilities: [],
      prices: [{ unit: "character", per: 1_000_000, usd: "15" }],
    },
    {
      provider: "workers-ai",
      model: "@cf/meta/llama-2-7b-chat-fp16",
      task: "text-generation",
      contextLength: 3_072,
      modalities: { input: ["text"], output: ["text"] },
      capabilities: [],
      prices: [{ unit: "input-token", per: 1_000_000, usd: "1.923" }],
    },
  ]);
});

it("reads models.dev's list, one provider's block of it too, without what is deprecated", () => {
  const block = {
    id: "cloudflare-workers-ai",
    name: "Cloudflare Workers AI",
    models: {
      "@cf/a/b": {
        id: "@cf/a/b",
        name: "B",
        release_date: "2026-06-12",
        tool_call: true,
        modalities: { input: ["text", "pdf"], output: ["text"] },
        limit: { context: 262_144, output: 0 },
        cost: { input: 0.95, output: 4, cache_read: 0.19 },
      },
      old: { id: "old", status: "deprecated" },
    },
  };
  const expected = [
    {
      provider: "workers-ai",
      model: "@cf/a/b",
      name: "B",
      task: "text-generation",
      contextLength: 262_144,
      modalities: { input: ["text", "file"], output: ["text"] },
      capabilities: ["tools"],
      prices: [
        { unit: "input-token", per: 1_000_000, usd: "0.95" },
        { unit: "cached-input-token", per: 1_000_000, usd: "0.19" },
        { unit: "output-token", per: 1_000_000, usd: "4" },
      ],
      releasedAt: "2026-06-12",
    },
  ];
  expect(read(block).models).toEqual(expected);
  expect(read({ [block.id]: block }).models).toEqual(expected);
});

describe("a list", () => {
  it.each([
    ["null", null],
    ["a text", "<html>"],
    ["a list", []],
    ["an empty object", {}],
    ["another API's answer", { data: [{ id: "gpt-5.4" }] }],
    [
      "one of a provider that cannot be called",
      { mistral: { id: "mistral", models: { a: { id: "a" } } } },
    ],
    [
      "one with a price below zero",
      { openai: { id: "openai", models: { a: { id: "a", cost: { input: -1 } } } } },
    ],
    ["half a LiteLLM list", { a: { litellm_provider: "openai", mode: "chat" }, b: 1 }],
  ])("that is %s is refused", (_what, document) => {
    expect(() => read(document)).toThrow(/list\.json/);
  });
});

describe("a number of dollars", () => {
  it.each([
    [1.5e-7, 1_000_000, "0.15"],
    [2.0000000000000003e-6, 1_000_000, "2"],
    [0, 1, "0"],
    [100, 1, "100"],
    [0.000_000_9, 1, "0.0000009"],
  ])("%d times %i is %s", (amount, times, expected) => {
    expect(decimalUsd(amount, times)).toBe(expected);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, "1", null, 10_000_000])(
    "is not %s",
    (amount) => {
      expect(decimalUsd(amount)).toBeUndefined();
    },
  );
});
