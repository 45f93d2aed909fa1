// Google's models: chats in Gemini's words, and images, speech, embeddings and videos of the same API.
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { GatewayError } from "../../../../../../gateway/errors.ts";
import { google } from "../../../../../../gateway/upstream/provider/adapters/google.ts";
import {
  cutAfter,
  json,
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
  geminiChunk,
  geminiFrames,
  googleError,
  googleKey,
  operationName,
  startGoogleDouble,
} from "../doubles/google.ts";

let double: ProviderDouble;
beforeEach(async () => {
  double = await startGoogleDouble();
});
afterEach(() => double[Symbol.asyncDispose]());

function run(
  options: Partial<AdapterRun> & Pick<AdapterRun, "task" | "input">,
): Promise<AdapterAnswer> {
  return runAdapter({
    adapter: google,
    baseUrl: double.baseUrl,
    key: googleKey,
    model: "gemini-3.5-flash",
    ...options,
  });
}

const chat = (
  input: Readonly<Record<string, unknown>> = { prompt: "Hi" },
  options: Partial<AdapterRun> = {},
): Promise<AdapterAnswer> => run({ task: "text-generation", input, ...options });

const sent = (index = 0): unknown => double.requests[index]?.body;
const image = "data:image/png;base64,AAEC";

describe("chat", () => {
  it("streams thoughts and text apart, and counts thoughts as output", async () => {
    const { emitted, metrics } = await chat({
      prompt: "Hi",
      system_prompt: "Be short",
      max_tokens: 20,
      temperature: 0.5,
      top_k: 3,
      stop: ["END"],
    });
    expect(emitted).toEqual([{ type: "reasoning", text: "hm" }, "Hel", "lo"]);
    expect(metrics).toEqual({
      input_tokens: 8,
      output_tokens: 8,
      cached_tokens: 2,
      reasoning_tokens: 5,
      finish_reason: "stop",
    });
    expect(double.requests[0]?.path).toBe("/v1beta/models/gemini-3.5-flash:streamGenerateContent");
    expect(sent()).toEqual({
      contents: [{ role: "user", parts: [{ text: "Hi" }] }],
      systemInstruction: { parts: [{ text: "Be short" }] },
      generationConfig: { temperature: 0.5, topK: 3, maxOutputTokens: 20, stopSequences: ["END"] },
    });
  });

  it("carries tools and their results there and back, and images as data", async () => {
    double.next(
      sse([
        geminiChunk([
          {
            functionCall: { id: "c1", name: "weather", args: { city: "Ulm" } },
            thoughtSignature: "s",
          },
          { functionCall: { name: "now" } },
        ]),
        geminiChunk([], "STOP"),
      ]),
    );
    const { emitted, metrics } = await chat({
      messages: [
        { role: "user", content: [{ type: "image_url", image_url: { url: image } }] },
        {
          role: "assistant",
          content: "Let me see",
          tool_calls: [
            {
              id: "t1",
              type: "function",
              function: { name: "weather", arguments: '{"city":"A"}' },
            },
          ],
        },
        { role: "tool", tool_call_id: "t1", content: "sun" },
      ],
      tools: [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }],
      tool_choice: { type: "function", function: { name: "weather" } },
    });
    expect(sent()).toMatchObject({
      contents: [
        { role: "user", parts: [{ inlineData: { mimeType: "image/png", data: "AAEC" } }] },
        {
          role: "model",
          parts: [
            { text: "Let me see" },
            {
              functionCall: { id: "t1", name: "weather", args: { city: "A" } },
              thoughtSignature: "skip_thought_signature_validator",
            },
          ],
        },
        {
          role: "user",
          parts: [{ functionResponse: { id: "t1", name: "weather", response: { result: "sun" } } }],
        },
      ],
      tools: [{ functionDeclarations: [{ name: "weather" }] }],
      toolConfig: { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["weather"] } },
    });
    expect(emitted).toEqual([
      { type: "tool_call", index: 0, id: "c1", name: "weather", arguments: '{"city":"Ulm"}' },
      { type: "tool_call", index: 1, name: "now", arguments: "{}" },
    ]);
    expect(metrics["finish_reason"]).toBe("tool_calls");
  });

  it("bounds thinking by a level, or by tokens where a model knows no level", async () => {
    await chat({ prompt: "Hi", reasoning_effort: "low" });
    await chat({ prompt: "Hi", reasoning_effort: "none" }, { model: "gemini-2.5-flash" });
    expect(sent(0)).toMatchObject({
      generationConfig: { thinkingConfig: { thinkingLevel: "LOW", includeThoughts: true } },
    });
    expect(sent(1)).toMatchObject({ generationConfig: { thinkingConfig: { thinkingBudget: 0 } } });
  });

  it("asks for JSON, of a schema when there is one", async () => {
    const schema = { type: "object" };
    await chat({ prompt: "Hi", response_format: { type: "json_object" } });
    await chat({
      prompt: "Hi",
      response_format: { type: "json_schema", json_schema: { name: "x", schema } },
    });
    expect(sent(0)).toMatchObject({ generationConfig: { responseMimeType: "application/json" } });
    expect(sent(1)).toMatchObject({ generationConfig: { responseJsonSchema: schema } });
  });

  it("refuses what Gemini has no name for", async () => {
    await expect(chat({ prompt: "Hi", parallel_tool_calls: false })).rejects.toMatchObject({
      code: "unsupported_parameter",
      parameter: "parallel_tool_calls",
    });
    await chat({ prompt: "Hi", parallel_tool_calls: true });
  });

  it.each([
    [geminiChunk([], "SAFETY"), "content_filter"],
    [geminiChunk([{ text: "x" }], "MAX_TOKENS"), "length"],
    [{ promptFeedback: { blockReason: "PROHIBITED_CONTENT" } }, "content_filter"],
  ])("says why an answer ended: %j", async (chunk, reason) => {
    double.next(sse([chunk]));
    expect((await chat()).metrics["finish_reason"]).toBe(reason);
  });

  it("does not take a broken call of a tool, a cut or an error for an answer", async () => {
    double.next(
      sse([geminiChunk([], "MALFORMED_FUNCTION_CALL")]),
      sse(geminiFrames.slice(0, 2)),
      cutAfter(geminiFrames.slice(0, 2)),
      sse([
        geminiFrames[0],
        { error: { code: 503, message: "overloaded", status: "UNAVAILABLE" } },
      ]),
    );
    await expect(chat()).rejects.toMatchObject({ code: "prediction_failed" });
    await expect(chat()).rejects.toMatchObject({ code: "upstream_cut" });
    await expect(chat()).rejects.toMatchObject({ code: "upstream_cut" });
    await expect(chat()).rejects.toMatchObject({ code: "upstream_failed", retryAfterMs: 5_000 });
  });

  it("keeps the pause that a quota names", async () => {
    const retry = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "2.5s" };
    double.next(googleError(429, "RESOURCE_EXHAUSTED", "quota", [retry]));
    await expect(chat()).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 2_500 });
  });

  it("leaves the connection when the call is aborted", async () => {
    double.next(stall(geminiFrames.slice(0, 2)));
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

describe("other tasks", () => {
  it("embeds texts for what they are to be used for", async () => {
    const { output } = await run({
      task: "text-embeddings",
      model: "gemini-embedding-001",
      input: { input: ["a", "four"], dimensions: 2, input_type: "query" },
    });
    expect(output).toEqual([
      [1, 0.5],
      [4, 0.5],
    ]);
    expect(sent()).toMatchObject({
      requests: [{ taskType: "RETRIEVAL_QUERY", outputDimensionality: 2 }, {}],
    });
  });

  it("makes and changes images, and takes a size as the ratio of its sides", async () => {
    const model = "gemini-3-pro-image-preview";
    const { output, metrics } = await run({
      task: "image-to-image",
      model,
      input: { prompt: "bluer", image: [image], size: "2048x1152" },
    });
    expect(output).toEqual([image]);
    expect(metrics).toMatchObject({ images: 1, output_tokens: 8 });
    expect(sent()).toMatchObject({
      contents: [{ parts: [{ text: "bluer" }, { inlineData: { mimeType: "image/png" } }] }],
      generationConfig: { imageConfig: { aspectRatio: "16:9", imageSize: "2K" } },
    });
    const odd = run({ task: "text-to-image", model, input: { prompt: "a", size: "1000x333" } });
    await expect(odd).rejects.toMatchObject({ code: "invalid_input", parameter: "size" });
    const many = run({ task: "text-to-image", model, input: { prompt: "a", n: 2 } });
    await expect(many).rejects.toMatchObject({ code: "unsupported_parameter", parameter: "n" });
  });

  it("says what the filter said when no image came", async () => {
    double.next(json(geminiChunk([{ text: "I cannot draw that." }], "IMAGE_SAFETY")));
    const work = run({
      task: "text-to-image",
      model: "gemini-2.5-flash-image",
      input: { prompt: "x" },
    });
    await expect(work).rejects.toMatchObject({
      code: "prediction_failed",
      message: "google made nothing (IMAGE_SAFETY). I cannot draw that.",
    });
  });

  it("makes images with Imagen", async () => {
    const { output } = await run({
      task: "text-to-image",
      model: "imagen-4.0-generate-001",
      input: { prompt: "a cat", n: 2, aspect_ratio: "16:9" },
    });
    expect(output).toEqual([image]);
    expect(sent()).toEqual({
      instances: [{ prompt: "a cat" }],
      parameters: { sampleCount: 2, aspectRatio: "16:9" },
    });
  });

  it("speaks, and gives raw samples out as a file that plays", async () => {
    const { output } = await run({
      task: "text-to-speech",
      model: "gemini-2.5-flash-preview-tts",
      input: { text: "hello", instructions: "Say cheerfully", voice: "Puck" },
    });
    const wav = Buffer.from(String(output).split(",")[1] ?? "", "base64");
    expect(wav.toString("latin1", 0, 4)).toBe("RIFF");
    expect(wav.readUInt32LE(24)).toBe(24_000);
    expect(wav.subarray(44)).toEqual(Buffer.from([0, 1, 2]));
    expect(sent()).toMatchObject({ contents: [{ parts: [{ text: "Say cheerfully: hello" }] }] });
    const mp3 = run({ task: "text-to-speech", input: { text: "x", format: "mp3" } });
    await expect(mp3).rejects.toMatchObject({ code: "unsupported_parameter", parameter: "format" });
  });

  it("waits for a video and fetches it with the key", async () => {
    const { output, metrics, pauses } = await run({
      task: "image-to-video",
      model: "veo-3.1-generate-preview",
      input: {
        prompt: "waves",
        image,
        last_image: image,
        duration: 8,
        resolution: "720p",
        audio: true,
      },
    });
    expect(output).toEqual([`data:video/mp4;base64,${Buffer.from("film").toString("base64")}`]);
    expect(metrics).toEqual({ videos: 1, seconds: 8 });
    expect(pauses).toHaveLength(3);
    expect(sent()).toMatchObject({
      instances: [{ image: { bytesBase64Encoded: "AAEC", mimeType: "image/png" } }],
      parameters: { durationSeconds: 8, resolution: "720p" },
    });
  });

  it("says why there is no video", async () => {
    const path = "/models/{model}/operations/{id}";
    const done = { name: operationName, done: true };
    const filtered = { generateVideoResponse: { raiMediaFilteredReasons: ["a face"] } };
    double.nextAt(
      path,
      json({ ...done, error: { code: 3, message: "bad prompt" } }),
      json({ ...done, response: filtered }),
    );
    const ask = (): Promise<AdapterAnswer> =>
      run({ task: "text-to-video", model: "veo-3.1-generate-preview", input: { prompt: "x" } });
    await expect(ask()).rejects.toThrow("google could not finish it: bad prompt");
    await expect(ask()).rejects.toThrow("google could not finish it: a face");
  });
});
