// Cloudflare's models: each has a schema of its own, and two generations of them answer in two shapes.
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Task } from "../../../../../../gateway/catalog/entry.ts";
import { GatewayError } from "../../../../../../gateway/errors.ts";
import { workersAi } from "../../../../../../gateway/upstream/provider/adapters/workers-ai.ts";
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
  cloudflareError,
  envelope,
  legacyFrames,
  startWorkersAiDouble,
  workersAiKey,
} from "../doubles/workers-ai.ts";

let double: ProviderDouble;
beforeEach(async () => {
  double = await startWorkersAiDouble();
});
afterEach(() => double[Symbol.asyncDispose]());

const llama = "@cf/meta/llama-3.3-70b-instruct-fp8-fast";
const kimi = "@cf/moonshotai/kimi-k2.5";

function run(
  task: Task,
  model: string,
  input: Readonly<Record<string, unknown>>,
  options: Partial<AdapterRun> = {},
): Promise<AdapterAnswer> {
  return runAdapter({
    adapter: workersAi,
    baseUrl: double.baseUrl,
    key: workersAiKey,
    model,
    task,
    input,
    ...options,
  });
}
const chat = (model: string, options: Partial<AdapterRun> = {}): Promise<AdapterAnswer> =>
  run("text-generation", model, { prompt: "Hi", system_prompt: "Short", max_tokens: 5 }, options);

describe("chat", () => {
  it("reads the stream of an older model", async () => {
    const { emitted, metrics } = await chat(llama);
    expect(emitted).toEqual(["Hel", "lo"]);
    expect(metrics).toEqual({ input_tokens: 7, output_tokens: 2 });
    expect(double.requests[0]?.path).toBe(`/client/v4/accounts/acc1/ai/run/${llama}`);
    expect(double.requests[0]?.body).toMatchObject({
      messages: [
        { role: "system", content: "Short" },
        { role: "user", content: "Hi" },
      ],
      max_tokens: 5,
    });
  });

  it("reads the stream of a newer model, reasoning apart", async () => {
    const { emitted, metrics } = await chat(kimi);
    expect(emitted).toEqual([{ type: "reasoning", text: "hm" }, "Hello"]);
    expect(metrics).toEqual({ input_tokens: 7, output_tokens: 3, finish_reason: "stop" });
  });

  it("asks both once and whole where nobody reads along", async () => {
    for (const model of [llama, kimi]) {
      const { output } = await chat(model, { isStreaming: false });
      expect(output).toEqual(["Hello"]);
    }
  });

  it("hands on calls of tools, whose arguments older models give as objects", async () => {
    double.next(
      sse([
        { response: null, tool_calls: [{ name: "weather", arguments: { city: "Ulm" } }] },
        "data: [DONE]\n\n",
      ]),
    );
    const tools = [{ type: "function", function: { name: "weather", parameters: {} } }];
    const messages = [
      { role: "user", content: "Weather?" },
      { role: "assistant", content: null, tool_calls: [{ id: "t1" }] },
    ];
    const { emitted } = await run("text-generation", llama, { messages, tools });
    expect(emitted).toEqual([
      { type: "tool_call", index: 0, name: "weather", arguments: '{"city":"Ulm"}' },
    ]);
  });

  it("does not take half a stream, or an error in one, for an answer", async () => {
    double.next(
      sse(legacyFrames.slice(0, 2)),
      cutAfter(legacyFrames.slice(0, 2)),
      sse([legacyFrames[0], { errors: [{ code: 3007, message: "timeout" }] }]),
    );
    await expect(chat(llama)).rejects.toMatchObject({ code: "upstream_cut" });
    await expect(chat(llama)).rejects.toMatchObject({ code: "upstream_cut" });
    await expect(chat(llama)).rejects.toThrow("timeout (3007)");
  });

  it("tells Cloudflare's errors with their numbers", async () => {
    double.next(
      cloudflareError(429, 3040, "Capacity temporarily exceeded"),
      cloudflareError(400, 5004, "Bad input"),
    );
    await expect(chat(llama)).rejects.toMatchObject({ code: "rate_limited" });
    await expect(chat(llama)).rejects.toMatchObject({
      code: "invalid_input",
      message: "workers-ai refused the input (400): Bad input (5004)",
    });
  });

  it("leaves the connection when the call is aborted", async () => {
    double.next(stall(legacyFrames.slice(0, 1)));
    const abort = new AbortController();
    const reason = new GatewayError("canceled", "over");
    const work = chat(llama, { signal: abort.signal, onEmit: () => abort.abort(reason) });
    await expect(work).rejects.toBe(reason);
    await double.requests[0]?.closed;
  });
});

describe("other tasks", () => {
  it("embeds", async () => {
    const { output } = await run("text-embeddings", "@cf/baai/bge-m3", { input: ["a", "four"] });
    expect(output).toEqual([[1], [4]]);
    await expect(
      run("text-embeddings", "@cf/baai/bge-m3", { input: ["a"], dimensions: 2 }),
    ).rejects.toMatchObject({ code: "unsupported_parameter", parameter: "dimensions" });
  });

  it("makes images, whether they come as base64 or as a file", async () => {
    const flux = await run("text-to-image", "@cf/black-forest-labs/flux-1-schnell", {
      prompt: "a cat",
      steps: 4,
      n: 1,
    });
    expect(flux.output).toEqual(["data:image/jpeg;base64,/9j/AAEC"]);
    const phoenix = await run("text-to-image", "@cf/leonardo/phoenix-1.0", {
      prompt: "a cat",
      size: "512x768",
      steps: 9,
      guidance: 3,
    });
    expect(phoenix.output).toEqual(["data:image/jpeg;base64,AQI="]);
    expect(double.requests[1]?.body).toEqual({
      prompt: "a cat",
      width: 512,
      height: 768,
      num_steps: 9,
      guidance: 3,
    });
  });

  it("speaks, in the format that was asked for", async () => {
    const aura = await run("text-to-speech", "@cf/deepgram/aura-2-en", {
      text: "hello",
      voice: "luna",
      format: "wav",
    });
    expect(aura.output).toBe("data:audio/mpeg;base64,bXAz");
    expect(double.requests[0]?.body).toEqual({
      text: "hello",
      speaker: "luna",
      encoding: "linear16",
      container: "wav",
    });
    const melo = await run("text-to-speech", "@cf/myshell-ai/melotts", {
      text: "hi",
      language: "fr",
    });
    expect(melo.output).toBe("data:audio/mpeg;base64,AAEC");
    await expect(
      run("text-to-speech", "@cf/myshell-ai/melotts", { text: "hi", voice: "luna" }),
    ).rejects.toMatchObject({ code: "unsupported_parameter", parameter: "voice" });
  });

  it("writes down what was said", async () => {
    const audio = "data:audio/wav;base64,UklGRg==";
    const large = await run("automatic-speech-recognition", "@cf/openai/whisper-large-v3-turbo", {
      audio,
      language: "en",
      timestamps: "word",
    });
    expect(large.output).toMatchObject({
      text: "hello world",
      language: "en",
      words: [{ word: "hello" }],
    });
    expect(large.metrics).toEqual({ seconds: 1.5 });
    const small = await run("automatic-speech-recognition", "@cf/openai/whisper", { audio });
    expect(small.output).toEqual({ text: "hi" });
    expect(double.requests[1]?.headers["content-type"]).toBe("audio/wav");
  });

  it("asks about an image, by chat or as the older models take it", async () => {
    const image = "data:image/png;base64,AAEC";
    const llava = await run("image-to-text", "@cf/llava-hf/llava-1.5-7b-hf", {
      image,
      prompt: "?",
    });
    expect(llava.output).toBe("a cat");
    const seen = await run("image-to-text", kimi, { image, prompt: "?" });
    expect(seen.output).toBe("Hello");
  });

  it("says what a result lacks", async () => {
    double.next(envelope({ other: 1 }));
    const work = run("text-to-image", "@cf/black-forest-labs/flux-1-schnell", { prompt: "a" });
    await expect(work).rejects.toThrow("workers-ai answered with no image.");
  });
});
