import { describe, expect, test } from "vitest";

import { pixverse } from "../../../../../../gateway/upstream/provider/adapters/pixverse.ts";
import { json } from "../../../../../support/provider-double.ts";
import { runAdapter } from "../../../../../support/run-adapter.ts";
import { failureOf } from "../doubles/expect-failure.ts";
import { describeJobs } from "../doubles/job-contract.ts";
import {
  pixverseError,
  pixverseFailed,
  pixverseWaiting,
  startPixverseDouble,
} from "../doubles/pixverse.ts";

const call = {
  adapter: pixverse,
  model: "v6",
  task: "text-to-video",
  input: { prompt: "Neon rain" },
} as const;
const png = "data:image/png;base64,aGk=";

describe("PixVerse", () => {
  test("a video from a text: what PixVerse requires is filled in, a new trace id goes with each request", async () => {
    await using double = await startPixverseDouble();
    const { output, metrics } = await runAdapter({ ...call, baseUrl: double.baseUrl });
    expect(double.requests[0]?.body).toEqual({
      model: "v6",
      duration: 5,
      quality: "720p",
      prompt: "Neon rain",
      aspect_ratio: "16:9",
    });
    expect(output).toEqual(["https://media.pixverse.ai/v.mp4"]);
    expect(metrics).toEqual({ videos: 1, seconds: 5 });
    expect(new Set(double.requests.map(({ headers }) => headers["ai-trace-id"])).size).toBe(3);
  });

  test("sound goes by another name in the older models, which also know what is not wanted", async () => {
    await using double = await startPixverseDouble();
    const input = { ...call.input, audio: true, negative_prompt: "people", duration: 8, seed: 1 };
    await runAdapter({ ...call, model: "v5", input, baseUrl: double.baseUrl });
    expect(double.requests[0]?.body).toMatchObject({
      sound_effect_switch: true,
      negative_prompt: "people",
      duration: 8,
    });
    await runAdapter({ ...call, input: { prompt: "x", audio: false }, baseUrl: double.baseUrl });
    expect(double.requests.at(-2)?.body).toMatchObject({ generate_audio_switch: false });
  });

  test("an image is uploaded first: a public URL by name, a file with its bytes", async () => {
    await using double = await startPixverseDouble();
    const task = "image-to-video";
    const input = { image: "https://a.b/first.png", prompt: "zoom" };
    await runAdapter({ ...call, task, input, baseUrl: double.baseUrl });
    expect(double.requests[0]?.body).toEqual({ image_url: "https://a.b/first.png" });
    expect(double.requests[1]).toMatchObject({
      path: "/openapi/v2/video/img/generate",
      body: { img_id: 1, prompt: "zoom" },
    });
    await runAdapter({ ...call, task, input: { image: png }, baseUrl: double.baseUrl });
    const uploads = double.requests.filter(({ path }) => path.endsWith("/image/upload"));
    expect(uploads[1]?.body).toEqual({
      image: { fileName: "image.png", contentType: "image/png", bytes: Buffer.from("hi") },
    });
  });

  test("two images become a transition", async () => {
    await using double = await startPixverseDouble();
    await runAdapter({
      ...call,
      task: "image-to-video",
      input: { image: png, last_image: "https://a.b/last.png", prompt: "melt" },
      baseUrl: double.baseUrl,
    });
    expect(double.requests[2]).toMatchObject({
      path: "/openapi/v2/video/transition/generate",
      body: { first_frame_img: 1, last_frame_img: 2, prompt: "melt" },
    });
  });

  test.each([
    [500044, "rate_limited", /concurrent generations/],
    [500063, "invalid_input", /sensitive/],
    [400017, "invalid_input", /invalid param/],
    [10005, "upstream_failed", /refused the API key/],
    [500090, "upstream_failed", /402.*insufficient/],
    [99999, "upstream_failed", /unknown/],
  ])("code %i in an answer with status 200 is a failure: %s", async (code, expected, words) => {
    const said: Readonly<Record<number, string>> = {
      500044: "reached the limit for concurrent generations",
      500063: "sensitive content in the prompt",
      400017: "invalid param",
      10005: "apiKey is not registered",
      500090: "insufficient balance",
      99999: "unknown error",
    };
    await using double = await startPixverseDouble();
    double.next(json(pixverseError(code, said[code] ?? "")));
    const failure = await failureOf(runAdapter({ ...call, baseUrl: double.baseUrl }));
    expect(failure.code).toBe(expected);
    expect(failure.message).toMatch(words);
    expect(failure.message).toContain(`(${code})`);
  });

  test.each([
    [6, /deleted/],
    [7, /moderation/],
    [8, /failed/],
  ])("status %i of a video ends it", async (status, words) => {
    await using double = await startPixverseDouble();
    double.nextAt("/video/result/{id}", json(pixverseFailed(status)));
    const failure = await failureOf(runAdapter({ ...call, baseUrl: double.baseUrl }));
    expect(failure.code).toBe("prediction_failed");
    expect(failure.message).toMatch(words);
  });

  test.each([
    ["negative_prompt", "text-to-video", { prompt: "x", negative_prompt: "fog" }],
    ["fps", "text-to-video", { prompt: "x", fps: 24 }],
    ["size", "text-to-video", { prompt: "x", size: "1280x720" }],
    ["aspect_ratio", "image-to-video", { image: png, aspect_ratio: "1:1" }],
  ] as const)(
    "%s is refused for v6, %s, before anything is uploaded",
    async (parameter, task, input) => {
      await using double = await startPixverseDouble();
      const failure = await failureOf(
        runAdapter({ ...call, task, input, baseUrl: double.baseUrl }),
      );
      expect(failure).toMatchObject({ code: "unsupported_parameter", parameter });
      expect(double.requests).toEqual([]);
    },
  );

  describeJobs({
    start: startPixverseDouble,
    call,
    create: "/video/text/generate",
    look: "/video/result/{id}",
    waiting: pixverseWaiting,
    failed: { body: pixverseFailed(7), words: /content moderation/ },
    limited: pixverseError(500069, "the system is busy"),
  });
});
