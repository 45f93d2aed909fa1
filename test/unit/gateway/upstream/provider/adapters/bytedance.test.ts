import { describe, expect, test } from "vitest";

import { bytedance } from "../../../../../../gateway/upstream/provider/adapters/bytedance.ts";
import { fail, json } from "../../../../../support/provider-double.ts";
import { runAdapter } from "../../../../../support/run-adapter.ts";
import { bytedanceWaiting, startBytedanceDouble } from "../doubles/bytedance.ts";
import { failureOf } from "../doubles/expect-failure.ts";
import { describeJobs } from "../doubles/job-contract.ts";

const call = {
  adapter: bytedance,
  model: "dreamina-seedance-2-0-260128",
  task: "text-to-video",
  input: { prompt: "A kite" },
} as const;
const png = "data:image/png;base64,aGk=";

describe("ByteDance", () => {
  test("a chat is streamed through OpenAI's shape", async () => {
    await using double = await startBytedanceDouble();
    const { emitted, metrics } = await runAdapter({
      ...call,
      model: "seed-1-8-251228",
      task: "text-generation",
      input: { prompt: "Hi", max_tokens: 8 },
      baseUrl: double.baseUrl,
    });
    expect(double.requests[0]).toMatchObject({
      path: "/api/v3/chat/completions",
      body: { model: "seed-1-8-251228", max_tokens: 8, stream: true },
    });
    expect(emitted).toEqual(["Hi ", "you"]);
    expect(metrics).toMatchObject({ input_tokens: 6, output_tokens: 2, finish_reason: "stop" });
  });

  test("Seedream makes one image a request, so three are three requests; none has a watermark", async () => {
    await using double = await startBytedanceDouble();
    const { output, metrics } = await runAdapter({
      ...call,
      model: "seedream-4-5-251128",
      task: "text-to-image",
      input: { prompt: "A kite", size: "2048x2048", n: 3 },
      baseUrl: double.baseUrl,
    });
    expect(double.requests.map(({ body }) => body)).toEqual(
      Array.from({ length: 3 }, () => ({
        model: "seedream-4-5-251128",
        prompt: "A kite",
        size: "2048x2048",
        response_format: "url",
        watermark: false,
      })),
    );
    expect(output).toHaveLength(3);
    expect(new Set(output as readonly string[]).size).toBe(3);
    expect(metrics).toEqual({ images: 3, image_tokens: 49_152 });
  });

  test("images go along as one or as a list, with what only the newest model has", async () => {
    await using double = await startBytedanceDouble();
    const shared = { ...call, task: "image-to-image", baseUrl: double.baseUrl } as const;
    await runAdapter({
      ...shared,
      model: "seedream-4-5-251128",
      input: { prompt: "x", image: [png] },
    });
    await runAdapter({
      ...shared,
      model: "dola-seedream-5-0-pro-260628",
      input: {
        prompt: "x",
        image: [png, "https://a.b/c.png"],
        background: "transparent",
        output_format: "png",
      },
    });
    expect(double.requests.map(({ body }) => body)).toMatchObject([
      { image: png },
      { image: [png, "https://a.b/c.png"], background: "transparent", output_format: "png" },
    ]);
  });

  test("an image that moderation refused is an error with its words", async () => {
    await using double = await startBytedanceDouble();
    const error = {
      code: "OutputImageSensitiveContentDetected",
      message: "The image is sensitive.",
    };
    double.next(json({ model: "m", data: [{ error }] }));
    const failure = await failureOf(
      runAdapter({
        ...call,
        task: "text-to-image",
        model: "seedream-4-5-251128",
        baseUrl: double.baseUrl,
      }),
    );
    expect(failure.code).toBe("invalid_input");
    expect(failure.message).toMatch(/The image is sensitive\./);
  });

  test("a video: content, shape and sound in Ark's words; tokens and seconds counted", async () => {
    await using double = await startBytedanceDouble();
    const { output, metrics, logs } = await runAdapter({
      ...call,
      input: { ...call.input, resolution: "720P", aspect_ratio: "9:16", duration: 5, audio: false },
      baseUrl: double.baseUrl,
    });
    expect(double.requests[0]?.body).toEqual({
      model: "dreamina-seedance-2-0-260128",
      content: [{ type: "text", text: "A kite" }],
      resolution: "720p",
      ratio: "9:16",
      duration: 5,
      generate_audio: false,
      watermark: false,
    });
    expect(output).toEqual(["https://ark-content.bytepluses.com/v.mp4"]);
    expect(metrics).toEqual({ videos: 1, seconds: 5, input_tokens: 0, output_tokens: 108_900 });
    expect(logs.at(-1)).toBe("job cgt-20261123120000-abcde: running");
  });

  test("frames say where they belong, with or without a prompt", async () => {
    await using double = await startBytedanceDouble();
    await runAdapter({
      ...call,
      model: "seedance-1-5-pro-251215",
      task: "image-to-video",
      input: { image: png, last_image: "https://a.b/last.png", seed: 4 },
      baseUrl: double.baseUrl,
    });
    expect(double.requests[0]?.body).toMatchObject({
      seed: 4,
      content: [
        { type: "image_url", image_url: { url: png }, role: "first_frame" },
        { type: "image_url", image_url: { url: "https://a.b/last.png" }, role: "last_frame" },
      ],
    });
  });

  test.each([
    ["seed", "dreamina-seedance-2-0-260128", "text-to-video", { prompt: "x", seed: 1 }],
    ["audio", "seedance-1-0-pro-250528", "text-to-video", { prompt: "x", audio: true }],
    ["fps", "dreamina-seedance-2-0-260128", "text-to-video", { prompt: "x", fps: 30 }],
    [
      "negative_prompt",
      "dreamina-seedance-2-0-260128",
      "text-to-video",
      { prompt: "x", negative_prompt: "y" },
    ],
    [
      "output_format",
      "seedream-4-5-251128",
      "text-to-image",
      { prompt: "x", output_format: "png" },
    ],
    ["guidance", "seedream-4-5-251128", "text-to-image", { prompt: "x", guidance: 3 }],
  ] as const)("%s is refused for %s", async (parameter, model, task, input) => {
    await using double = await startBytedanceDouble();
    const failure = await failureOf(
      runAdapter({ ...call, model, task, input, baseUrl: double.baseUrl }),
    );
    expect(failure).toMatchObject({ code: "unsupported_parameter", parameter });
    expect(double.requests).toEqual([]);
  });

  test("a hundred images are not a hundred requests", async () => {
    await using double = await startBytedanceDouble();
    const input = { prompt: "x", n: 100 };
    const failure = await failureOf(
      runAdapter({ ...call, task: "text-to-image", input, baseUrl: double.baseUrl }),
    );
    expect(failure).toMatchObject({ code: "invalid_input", parameter: "n" });
    expect(double.requests).toEqual([]);
  });

  test("a model that was never opened in the console is named", async () => {
    await using double = await startBytedanceDouble();
    const message = "Your account has not activated the model dreamina-seedance-2-0.";
    double.next(fail(404, { error: { code: "ModelNotOpen", message } }));
    const failure = await failureOf(runAdapter({ ...call, baseUrl: double.baseUrl }));
    expect(failure.code).toBe("model_not_found");
    expect(failure.message).toContain(message);
  });

  describeJobs({
    start: startBytedanceDouble,
    call,
    create: "/contents/generations/tasks",
    look: "/contents/generations/tasks/{id}",
    waiting: bytedanceWaiting,
    failed: {
      body: {
        ...bytedanceWaiting,
        status: "failed",
        error: {
          code: "OutputVideoSensitiveContentDetected",
          message: "The output video may contain sensitive information.",
        },
      },
      words: /may contain sensitive information\. \(OutputVideoSensitiveContentDetected\)/,
    },
    limited: { error: { code: "RateLimitExceeded.EndpointRPMExceeded", message: "too many" } },
    cancel: { method: "DELETE", path: "/contents/generations/tasks/{id}" },
  });
});
