// OpenAI's models, and those of any server that speaks its shapes: what a caller asks for reaches the provider in the
// provider's own words, and the answer comes back as a Cog model's.
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { openAiCompatible } from "../../../../../../gateway/upstream/provider/adapters/openai-compatible.ts";
import { openAi } from "../../../../../../gateway/upstream/provider/adapters/openai.ts";
import { GatewayError } from "../../../../../../gateway/errors.ts";
import {
  cutAfter,
  fail,
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
  chatChunk,
  chatFrames,
  openAiError,
  openAiKey,
  startOpenAiDouble,
} from "../doubles/openai.ts";

let double: ProviderDouble;
beforeEach(async () => {
  double = await startOpenAiDouble();
});
afterEach(() => double[Symbol.asyncDispose]());

function run(
  options: Partial<AdapterRun> & Pick<AdapterRun, "task" | "input">,
): Promise<AdapterAnswer> {
  return runAdapter({
    adapter: openAi,
    baseUrl: double.baseUrl,
    key: openAiKey,
    model: "gpt-5",
    ...options,
  });
}

const hello = { messages: [{ role: "user", content: "Hi" }] };
const chat = (extra: object = {}): Pick<AdapterRun, "task" | "input"> => ({
  task: "text-generation",
  input: { ...hello, ...extra },
});

const weather = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: {} } },
};

describe("chat", () => {
  it("streams text as it comes and counts what the provider counted", async () => {
    const { emitted, output, metrics } = await run(chat({ max_tokens: 20, temperature: 0.5 }));
    expect(emitted).toEqual(["Hel", "lo"]);
    expect(output).toEqual(["Hel", "lo"]);
    expect(metrics).toEqual({
      input_tokens: 9,
      output_tokens: 4,
      cached_tokens: 3,
      reasoning_tokens: 1,
      finish_reason: "stop",
    });
    expect(double.requests[0]?.body).toEqual({
      model: "gpt-5",
      ...hello,
      max_completion_tokens: 20,
      temperature: 0.5,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it("asks once and whole where nobody reads along", async () => {
    const { emitted, metrics } = await run({ ...chat(), isStreaming: false });
    expect(emitted).toEqual(["Hello"]);
    expect(metrics).toMatchObject({ output_tokens: 4, finish_reason: "stop" });
  });

  it("makes a conversation of a prompt and a system prompt", async () => {
    await run({ task: "text-generation", input: { prompt: "Hi", system_prompt: "Be short" } });
    expect(double.requests[0]?.body).toMatchObject({
      messages: [
        { role: "system", content: "Be short" },
        { role: "user", content: "Hi" },
      ],
    });
  });

  it("hands on tool calls piece by piece", async () => {
    double.next(
      sse([
        chatChunk({
          role: "assistant",
          content: null,
          tool_calls: [
            {
              index: 0,
              id: "call_1",
              type: "function",
              function: { name: "weather", arguments: "" },
            },
          ],
        }),
        chatChunk({ tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] }),
        chatChunk({ tool_calls: [{ index: 0, function: { arguments: '"Ulm"}' } }] }),
        chatChunk({}, { finish_reason: "tool_calls" }),
        "data: [DONE]\n\n",
      ]),
    );
    const answer = await run(chat({ tools: [weather], tool_choice: "required" }));
    expect(answer.emitted).toEqual([
      { type: "tool_call", index: 0, id: "call_1", name: "weather", arguments: "" },
      { type: "tool_call", index: 0, arguments: '{"city":' },
      { type: "tool_call", index: 0, arguments: '"Ulm"}' },
    ]);
    expect(answer.metrics["finish_reason"]).toBe("tool_calls");
  });

  it("refuses an input that OpenAI has no name for, before anything is sent", async () => {
    await expect(run(chat({ top_k: 40 }))).rejects.toMatchObject({
      code: "unsupported_parameter",
      parameter: "top_k",
    });
    expect(double.requests).toHaveLength(0);
  });

  it("does not call half an answer a whole one", async () => {
    double.next(cutAfter(chatFrames.slice(0, 4)), sse(chatFrames.slice(0, 4)));
    await expect(run(chat())).rejects.toMatchObject({ code: "upstream_cut" });
    await expect(run(chat())).rejects.toMatchObject({ code: "upstream_cut" });
  });

  it("hears an error inside a stream that began well", async () => {
    double.next(
      sse([
        chatFrames[0],
        { error: { message: "slow down", type: "rate_limit_error", code: null } },
      ]),
    );
    await expect(run(chat())).rejects.toMatchObject({
      code: "rate_limited",
      message: expect.stringContaining("slow down") as string,
    });
  });

  it("keeps the pause of a rate limit and the parameter of a refusal", async () => {
    double.next(
      fail(429, { error: { message: "Rate limit", type: "tokens" } }, { "retry-after-ms": "1500" }),
      openAiError(400, "Unsupported value", { param: "temperature" }),
      openAiError(404, "The model does not exist", { code: "model_not_found" }),
    );
    await expect(run(chat())).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 1500 });
    await expect(run(chat())).rejects.toMatchObject({
      code: "invalid_input",
      parameter: "temperature",
    });
    await expect(run(chat())).rejects.toMatchObject({ code: "model_not_found" });
  });

  it("leaves the connection when the call is aborted", async () => {
    double.next(stall(chatFrames.slice(0, 3)));
    const abort = new AbortController();
    const reason = new GatewayError("canceled", "over");
    const work = run({ ...chat(), signal: abort.signal, onEmit: () => abort.abort(reason) });
    await expect(work).rejects.toBe(reason);
    await double.requests[0]?.closed;
  });
});

describe("other tasks", () => {
  it("embeds texts in the order in which they were given", async () => {
    const { output, metrics } = await run({
      task: "text-embeddings",
      input: { input: ["a", "four"], dimensions: 2 },
    });
    expect(output).toEqual([
      [1, 0],
      [4, 1],
    ]);
    expect(metrics["input_tokens"]).toBe(5);
  });

  it("makes images, and says how many", async () => {
    const { output, metrics } = await run({
      task: "text-to-image",
      input: { prompt: "a cat", size: "1024x1024", output_format: "webp" },
    });
    expect(output).toEqual(["data:image/webp;base64,AAEC"]);
    expect(metrics).toMatchObject({ images: 1, input_tokens: 11, output_tokens: 272 });
    await expect(
      run({ task: "text-to-image", input: { prompt: "a cat", guidance: 3 } }),
    ).rejects.toMatchObject({ code: "unsupported_parameter", parameter: "guidance" });
  });

  it("edits images that come as data URIs", async () => {
    const image = "data:image/png;base64,AAEC";
    const { output } = await run({
      task: "image-to-image",
      input: { prompt: "bluer", image: [image, image], mask: image, n: 1 },
    });
    expect(output).toEqual(["data:image/webp;base64,AAED"]);
    const body = double.requests[0]?.body as Record<string, unknown>;
    expect(body["mask"]).toMatchObject({ fileName: "mask.png", bytes: Buffer.from([0, 1, 2]) });
  });

  it("speaks", async () => {
    const { output, metrics } = await run({
      task: "text-to-speech",
      input: { text: "hello", format: "mp3", speed: 1.5 },
    });
    const base64 = Buffer.from("ID3sound").toString("base64");
    expect(output).toBe(`data:audio/mpeg;base64,${base64}`);
    expect(metrics).toEqual({ characters: 5 });
  });

  it("writes down what was said, with times when asked", async () => {
    const audio = "data:audio/wav;base64,UklGRg==";
    const plain = await run({
      task: "automatic-speech-recognition",
      input: { audio, language: "en", timestamps: "none" },
    });
    expect(plain.output).toEqual({ text: "hello world" });
    expect(plain.metrics["seconds"]).toBe(2);
    const timed = await run({
      task: "automatic-speech-recognition",
      input: { audio, timestamps: "word" },
    });
    expect(timed.output).toMatchObject({
      duration: 1.5,
      words: [{ word: "hello" }, { word: "world" }],
    });
  });

  it("asks about an image and answers one text", async () => {
    const { output, emitted } = await run({
      task: "image-to-text",
      input: { image: "https://example.com/a.png", prompt: "What is it?" },
    });
    expect(output).toBe("Hello");
    expect(emitted).toEqual([]);
  });

  it("waits for a video, however often a look fails, and brings the file itself", async () => {
    double.nextAt("/videos/{id}", fail(500, { error: { message: "blip" } }));
    const { output, metrics, logs } = await run({
      task: "text-to-video",
      model: "sora-2",
      input: { prompt: "waves", duration: 8, size: "1280x720" },
    });
    expect(output).toEqual([`data:video/mp4;base64,${Buffer.from("film").toString("base64")}`]);
    expect(metrics).toEqual({ videos: 1, seconds: 8 });
    expect(logs).toEqual(["job video_1", "job video_1: in_progress"]);
  });

  it("says why a video failed, and gives a job up that nobody waits for", async () => {
    const failed = {
      id: "video_1",
      status: "failed",
      error: { code: "x", message: "not allowed" },
    };
    double.nextAt("/videos/{id}", json(failed));
    const input = { prompt: "waves" };
    await expect(run({ task: "text-to-video", model: "sora-2", input })).rejects.toMatchObject({
      code: "prediction_failed",
      message: "openai could not finish it: not allowed",
    });
    const abort = new AbortController();
    double.nextAt("/videos/{id}", (response) => {
      abort.abort(new GatewayError("canceled", "over"));
      return json({ id: "video_1", status: "queued" })(response);
    });
    const work = run({ task: "text-to-video", model: "sora-2", input, signal: abort.signal });
    await expect(work).rejects.toMatchObject({ code: "canceled" });
    expect(double.requests.at(-1)).toMatchObject({ method: "DELETE", path: "/v1/videos/video_1" });
  });

  it("says which task it has not", async () => {
    await expect(run({ task: "other", input: {} })).rejects.toMatchObject({
      code: "unsupported_parameter",
    });
  });
});

describe("a compatible server", () => {
  let server: ProviderDouble;
  beforeEach(async () => {
    server = await startOpenAiDouble("compatible");
  });
  afterEach(() => server[Symbol.asyncDispose]());

  function ask(
    options: Pick<AdapterRun, "task" | "input"> & Partial<AdapterRun>,
  ): Promise<AdapterAnswer> {
    return runAdapter({
      adapter: openAiCompatible,
      baseUrl: server.baseUrl,
      key: openAiKey,
      name: "my-vllm",
      model: "qwen",
      ...options,
    });
  }

  it("gets the older name of the bound, and inputs beyond OpenAI's", async () => {
    await ask(chat({ max_tokens: 9, top_k: 40 }));
    expect(server.requests[0]?.body).toMatchObject({ max_tokens: 9, top_k: 40 });
    await ask({ task: "text-to-image", input: { prompt: "a", steps: 4, seed: 1 } });
    expect(server.requests[1]?.body).toMatchObject({ steps: 4, seed: 1 });
  });

  it("shows reasoning apart from the answer", async () => {
    server.next(
      sse([
        chatChunk({ reasoning_content: "hm" }),
        chatChunk({ content: "42" }),
        chatChunk({}, { finish_reason: "length" }),
      ]),
    );
    const { emitted, metrics } = await ask(chat());
    expect(emitted).toEqual([{ type: "reasoning", text: "hm" }, "42"]);
    expect(metrics).toEqual({ finish_reason: "length" });
  });

  it("goes on from a prompt with a base model", async () => {
    const { emitted, metrics } = await ask({
      task: "text-generation",
      requestFormats: ["predictions", "completions"],
      input: { prompt: "Once", max_tokens: 4 },
    });
    expect(emitted).toEqual([" upon", " a time"]);
    expect(metrics).toMatchObject({ finish_reason: "length", input_tokens: 9 });
  });

  it("is called by the name that the operator gave it", async () => {
    server.next(fail(500, { object: "error", message: "out of memory", code: 500 }));
    await expect(ask(chat())).rejects.toThrow("my-vllm answered 500: out of memory");
  });
});
