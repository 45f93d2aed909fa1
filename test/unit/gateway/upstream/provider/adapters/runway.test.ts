import { describe, expect, test } from "vitest";

import { runway } from "../../../../../../gateway/upstream/provider/adapters/runway.ts";
import { runAdapter } from "../../../../../support/run-adapter.ts";
import { failureOf } from "../doubles/expect-failure.ts";
import { describeJobs } from "../doubles/job-contract.ts";
import { runwayWaiting, startRunwayDouble } from "../doubles/runway.ts";

const call = {
  adapter: runway,
  model: "gen4.5",
  task: "text-to-video",
  input: { prompt: "A cat at sea", seed: 7 },
} as const;

describe("Runway", () => {
  test("a video: created with a length and a shape, polled every five seconds, its URL and cost told", async () => {
    await using double = await startRunwayDouble();
    const { output, metrics, logs, pauses } = await runAdapter({
      ...call,
      baseUrl: double.baseUrl,
    });
    expect(double.requests[0]?.body).toEqual({
      model: "gen4.5",
      promptText: "A cat at sea",
      ratio: "1280:720",
      duration: 5,
      seed: 7,
    });
    expect(output).toEqual(["https://dnznrvs05pmza.cloudfront.net/output.mp4?_jwt=x"]);
    expect(metrics).toEqual({ videos: 1, seconds: 5, credits: 25 });
    expect(pauses).toEqual([5_000, 5_000, 5_000, 5_000]);
    const job = "job 17f20503-6c24-4c16-946b-35dbbce2af2f";
    expect(logs).toEqual([job, `${job}: pending`, `${job}: throttled`, `${job}: running 40 %`]);
  });

  test("an image becomes a video, with a last frame where the model has one", async () => {
    await using double = await startRunwayDouble();
    await runAdapter({
      ...call,
      baseUrl: double.baseUrl,
      model: "veo3.1",
      task: "image-to-video",
      input: {
        image: "https://files.example/a.png",
        last_image: "data:image/png;base64,aGk=",
        negative_prompt: "fog",
        audio: true,
        duration: 8,
        aspect_ratio: "9:16",
        resolution: "1080p",
      },
    });
    expect(double.requests[0]?.path).toBe("/v1/image_to_video");
    expect(double.requests[0]?.body).toEqual({
      model: "veo3.1",
      promptImage: [
        { uri: "https://files.example/a.png", position: "first" },
        { uri: "data:image/png;base64,aGk=", position: "last" },
      ],
      ratio: "1080:1920",
      duration: 8,
      negativePrompt: "fog",
      audio: true,
    });
  });

  test("each model is told the shape in its own way", async () => {
    await using double = await startRunwayDouble();
    const bodies = [
      {
        model: "gen4_turbo",
        task: "image-to-video",
        input: { image: "https://a.b/c.png", size: "960x960" },
      },
      {
        model: "hailuo3",
        task: "text-to-video",
        input: { prompt: "x", aspect_ratio: "21:9", resolution: "2k" },
      },
      { model: "gen4_image", task: "text-to-image", input: { prompt: "x", aspect_ratio: "4:3" } },
      {
        model: "gpt_image_2",
        task: "image-to-image",
        input: { prompt: "x", image: ["https://a.b/c.png"], n: 2, quality: "high" },
      },
    ] as const;
    for (const body of bodies) await runAdapter({ ...call, ...body, baseUrl: double.baseUrl });
    const created = double.requests.filter(({ method }) => method === "POST");
    expect(created.map(({ body }) => body)).toEqual([
      { model: "gen4_turbo", promptImage: "https://a.b/c.png", ratio: "960:960" },
      { model: "hailuo3", promptText: "x", ratio: "21:9", resolution: "2k" },
      { model: "gen4_image", promptText: "x", ratio: "1440:1080" },
      {
        model: "gpt_image_2",
        promptText: "x",
        ratio: "1920:1920",
        referenceImages: [{ uri: "https://a.b/c.png" }],
        outputCount: 2,
        quality: "high",
      },
    ]);
  });

  test.each([
    ["fps", { prompt: "x", fps: 24 }],
    ["negative_prompt", { prompt: "x", negative_prompt: "fog" }],
    ["audio", { prompt: "x", audio: true }],
    ["resolution", { prompt: "x", size: "1280x720", resolution: "720p" }],
  ])(
    "%s is refused where the model has no input for it, before anything is paid",
    async (parameter, input) => {
      await using double = await startRunwayDouble();
      const failure = await failureOf(runAdapter({ ...call, input, baseUrl: double.baseUrl }));
      expect(failure).toMatchObject({ code: "unsupported_parameter", parameter });
      expect(double.requests).toEqual([]);
    },
  );

  describeJobs({
    start: startRunwayDouble,
    call,
    create: "/text_to_video",
    look: "/tasks/{id}",
    waiting: runwayWaiting,
    failed: {
      body: {
        ...runwayWaiting,
        status: "FAILED",
        failure: "The generation was flagged by our content moderation system.",
        failureCode: "SAFETY.OUTPUT.VIDEO",
      },
      words: /content moderation system\. \(SAFETY\.OUTPUT\.VIDEO\)/,
    },
    limited: { error: "You have reached your rate limit." },
    cancel: { method: "DELETE", path: "/tasks/{id}" },
  });
});
