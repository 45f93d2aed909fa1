import { describe, expect, test } from "vitest";

import { alibaba } from "../../../../../../gateway/upstream/provider/adapters/alibaba.ts";
import { fail, json } from "../../../../../support/provider-double.ts";
import { runAdapter } from "../../../../../support/run-adapter.ts";
import { alibabaFailed, alibabaWaiting, startAlibabaDouble } from "../doubles/alibaba.ts";
import { failureOf } from "../doubles/expect-failure.ts";
import { describeJobs } from "../doubles/job-contract.ts";

const services = "/api/v1/services/aigc";
const video = {
  adapter: alibaba,
  model: "wan2.7-t2v",
  task: "text-to-video",
  input: { prompt: "A crane" },
} as const;
const png = "data:image/png;base64,aGk=";

describe("Alibaba Cloud", () => {
  test("chats and embeddings go to the compatible mode", async () => {
    await using double = await startAlibabaDouble();
    const { emitted } = await runAdapter({
      adapter: alibaba,
      model: "qwen3.7-plus",
      task: "text-generation",
      input: { prompt: "Hi" },
      baseUrl: double.baseUrl,
    });
    expect(emitted).toEqual(["Hi ", "you"]);
    const { output, metrics } = await runAdapter({
      adapter: alibaba,
      model: "text-embedding-v4",
      task: "text-embeddings",
      input: { input: ["a"], dimensions: 2 },
      baseUrl: double.baseUrl,
    });
    expect(output).toEqual([[0.5, 0.25]]);
    expect(metrics).toMatchObject({ input_tokens: 3 });
    expect(double.requests.map(({ path }) => path)).toEqual([
      "/compatible-mode/v1/chat/completions",
      "/compatible-mode/v1/embeddings",
    ]);
  });

  test.each([
    [
      "qwen-image-3.0-pro",
      "multimodal-generation/generation",
      {
        input: { messages: [{ role: "user", content: [{ text: "A crane" }] }] },
        parameters: { size: "1328*1328", n: 1, negative_prompt: "people" },
      },
      "https://oss/qwen.png",
    ],
    [
      "wan2.7-image",
      "image-generation/generation",
      {
        input: { messages: [{ role: "user", content: [{ text: "A crane" }] }] },
        parameters: { size: "1328*1328", n: 1, negative_prompt: "people" },
      },
      "https://oss/wan.png",
    ],
    [
      "wan2.6-image",
      "image-generation/generation",
      {
        input: { messages: [{ role: "user", content: [{ text: "A crane" }] }] },
        parameters: {
          size: "1328*1328",
          enable_interleave: true,
          max_images: 1,
          negative_prompt: "people",
        },
      },
      "https://oss/wan.png",
    ],
    [
      "wan2.5-t2i-preview",
      "text2image/image-synthesis",
      {
        input: { prompt: "A crane", negative_prompt: "people" },
        parameters: { size: "1328*1328", n: 1 },
      },
      "https://oss/1.png",
    ],
  ])("an image of %s, in the protocol of its generation", async (model, path, body, url) => {
    await using double = await startAlibabaDouble();
    const { output, metrics } = await runAdapter({
      ...video,
      model,
      task: "text-to-image",
      input: { prompt: "A crane", size: "1328x1328", n: 1, negative_prompt: "people" },
      baseUrl: double.baseUrl,
    });
    expect(double.requests[0]?.path).toBe(`${services}/${path}`);
    expect(double.requests[0]?.body).toEqual({ model, ...body });
    expect(output).toEqual([url]);
    expect(metrics).toEqual({ images: 1 });
  });

  test("images are parts of the message", async () => {
    await using double = await startAlibabaDouble();
    await runAdapter({
      ...video,
      model: "qwen-image-edit-plus",
      task: "image-to-image",
      input: { prompt: "both", image: [png, "https://a.b/c.png"] },
      baseUrl: double.baseUrl,
    });
    expect(double.requests[0]?.body).toMatchObject({
      input: {
        messages: [{ content: [{ text: "both" }, { image: png }, { image: "https://a.b/c.png" }] }],
      },
    });
  });

  test.each([
    [
      "wan2.7-t2v",
      "text-to-video",
      {
        prompt: "x",
        resolution: "720p",
        aspect_ratio: "9:16",
        duration: 5,
        negative_prompt: "fog",
      },
      {
        input: { prompt: "x", negative_prompt: "fog" },
        parameters: { resolution: "720P", ratio: "9:16", duration: 5 },
      },
    ],
    [
      "wan2.6-t2v",
      "text-to-video",
      { prompt: "x", resolution: "720p", aspect_ratio: "1:1", seed: 2 },
      { input: { prompt: "x" }, parameters: { size: "960*960", seed: 2 } },
    ],
    [
      "wan2.6-t2v",
      "text-to-video",
      { prompt: "x", size: "1280x720" },
      { input: { prompt: "x" }, parameters: { size: "1280*720" } },
    ],
    [
      "happyhorse-1.1-t2v",
      "text-to-video",
      { prompt: "x", aspect_ratio: "4:3" },
      { input: { prompt: "x" }, parameters: { ratio: "4:3" } },
    ],
    [
      "wan2.6-i2v",
      "image-to-video",
      { image: png, resolution: "1080p", audio: false },
      { input: { img_url: png }, parameters: { resolution: "1080P", audio: false } },
    ],
    [
      "wan2.7-i2v",
      "image-to-video",
      { image: png, last_image: "https://a.b/l.png", prompt: "x" },
      {
        input: {
          prompt: "x",
          media: [
            { type: "first_frame", url: png },
            { type: "last_frame", url: "https://a.b/l.png" },
          ],
        },
        parameters: {},
      },
    ],
    [
      "wan3.0-video",
      "image-to-video",
      { image: png, aspect_ratio: "16:9", resolution: "480p", audio: true },
      {
        input: { media: [{ type: "first_frame", url: png }] },
        parameters: { resolution: "480P", ratio: "16:9", audio: true },
      },
    ],
  ] as const)("%s, %s: its own protocol", async (model, task, input, body) => {
    await using double = await startAlibabaDouble();
    const { output, metrics, pauses } = await runAdapter({
      ...video,
      model,
      task,
      input,
      baseUrl: double.baseUrl,
    });
    expect(double.requests[0]?.body).toEqual({ model, ...body });
    expect(output).toEqual(["https://oss/v.mp4"]);
    expect(metrics).toEqual({ videos: 1, seconds: 5 });
    expect(pauses).toEqual([5_000, 5_000, 5_000]);
  });

  test("speech is the URL of a WAV file", async () => {
    await using double = await startAlibabaDouble();
    const { output, metrics } = await runAdapter({
      ...video,
      model: "qwen3-tts-instruct-flash",
      task: "text-to-speech",
      isStreaming: false,
      input: { text: "Guten Abend", language: "de", voice: "Ethan", instructions: "tired" },
      baseUrl: double.baseUrl,
    });
    expect(double.requests[0]?.body).toEqual({
      model: "qwen3-tts-instruct-flash",
      input: {
        text: "Guten Abend",
        voice: "Ethan",
        language_type: "German",
        instructions: "tired",
      },
    });
    expect(output).toBe("http://oss/speech.wav");
    expect(metrics).toEqual({ characters: 11 });
  });

  test("a transcript: the recording as it came, the context before it", async () => {
    await using double = await startAlibabaDouble();
    const { output, metrics } = await runAdapter({
      ...video,
      model: "qwen3-asr-flash",
      task: "automatic-speech-recognition",
      input: { audio: "data:audio/wav;base64,UklGRg==", prompt: "Zoë", language: "de" },
      baseUrl: double.baseUrl,
    });
    expect(double.requests[0]?.body).toEqual({
      model: "qwen3-asr-flash",
      input: {
        messages: [
          { role: "system", content: [{ text: "Zoë" }] },
          { role: "user", content: [{ audio: "data:audio/wav;base64,UklGRg==" }] },
        ],
      },
      parameters: { asr_options: { language: "de", enable_itn: false } },
    });
    expect(output).toEqual({ text: "Guten Tag", language: "de", duration: 3 });
    expect(metrics).toEqual({ seconds: 3 });
  });

  test.each([
    ["aspect_ratio", "wan2.7-image", "text-to-image", { prompt: "x", aspect_ratio: "1:1" }],
    ["image", "wan2.5-t2i-preview", "image-to-image", { prompt: "x", image: [png] }],
    ["steps", "qwen-image-plus", "text-to-image", { prompt: "x", steps: 4 }],
    ["audio", "wan2.7-t2v", "text-to-video", { prompt: "x", audio: true }],
    ["size", "wan2.7-t2v", "text-to-video", { prompt: "x", size: "1280x720" }],
    ["negative_prompt", "wan3.0-video", "text-to-video", { prompt: "x", negative_prompt: "y" }],
    ["last_image", "wan2.6-i2v", "image-to-video", { image: png, last_image: png }],
    ["speed", "qwen3-tts-flash", "text-to-speech", { text: "x", speed: 2 }],
    ["instructions", "qwen3-tts-flash", "text-to-speech", { text: "x", instructions: "y" }],
    [
      "timestamps",
      "qwen3-asr-flash",
      "automatic-speech-recognition",
      { audio: png, timestamps: "word" },
    ],
  ] as const)("%s is refused for %s", async (parameter, model, task, input) => {
    await using double = await startAlibabaDouble();
    const failure = await failureOf(
      runAdapter({ ...video, model, task, input, baseUrl: double.baseUrl }),
    );
    expect(failure).toMatchObject({ code: "unsupported_parameter", parameter });
    expect(double.requests).toEqual([]);
  });

  test("a format that Qwen does not make is not made up", async () => {
    await using double = await startAlibabaDouble();
    const input = { text: "x", format: "mp3" };
    const failure = await failureOf(
      runAdapter({ ...video, task: "text-to-speech", input, baseUrl: double.baseUrl }),
    );
    expect(failure).toMatchObject({ code: "invalid_input", parameter: "format" });
  });

  test("images that all failed are an error with the reason of one", async () => {
    await using double = await startAlibabaDouble();
    const output = {
      task_status: "SUCCEEDED",
      results: [{ code: "DataInspectionFailed", message: "Output data may be inappropriate." }],
    };
    double.nextAt("/api/v1/tasks/{id}", json({ output }));
    const failure = await failureOf(
      runAdapter({
        ...video,
        model: "wan2.2-t2i-flash",
        task: "text-to-image",
        baseUrl: double.baseUrl,
      }),
    );
    expect(failure.message).toMatch(/Output data may be inappropriate\./);
  });

  test("a refused prompt and an overdue account keep the provider's words", async () => {
    await using double = await startAlibabaDouble();
    double.next(
      fail(400, { code: "DataInspectionFailed", message: "Input may be inappropriate." }),
      fail(400, { code: "Arrearage", message: "Access denied, please settle your account." }),
    );
    const make = (): Promise<unknown> => runAdapter({ ...video, baseUrl: double.baseUrl });
    expect((await failureOf(make())).message).toMatch(/Input may be inappropriate\./);
    expect((await failureOf(make())).message).toMatch(/please settle your account/);
  });

  describeJobs({
    start: startAlibabaDouble,
    call: video,
    create: `${services}/video-generation/video-synthesis`,
    look: "/api/v1/tasks/{id}",
    waiting: alibabaWaiting,
    failed: {
      body: alibabaFailed,
      words: /Output data may contain inappropriate content\. \(DataInspectionFailed\)/,
    },
    limited: { code: "Throttling.RateQuota", message: "Requests rate limit exceeded" },
    cancel: { method: "POST", path: "/api/v1/tasks/{id}/cancel" },
  });
});
