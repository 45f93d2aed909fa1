import { describe, expect, test } from "vitest";

import { vidu } from "../../../../../../gateway/upstream/provider/adapters/vidu.ts";
import { runAdapter } from "../../../../../support/run-adapter.ts";
import { failureOf } from "../doubles/expect-failure.ts";
import { describeJobs } from "../doubles/job-contract.ts";
import { startViduDouble, viduWaiting } from "../doubles/vidu.ts";

const call = {
  adapter: vidu,
  model: "viduq3-pro",
  task: "text-to-video",
  input: { prompt: "A lighthouse in a storm" },
} as const;

describe("Vidu", () => {
  test("a video from a text: every input under Vidu's name, the length it took in the metrics", async () => {
    await using double = await startViduDouble();
    const { output, metrics, logs } = await runAdapter({
      ...call,
      baseUrl: double.baseUrl,
      input: { ...call.input, aspect_ratio: "9:16", resolution: "1080p", seed: 3, audio: true },
    });
    expect(double.requests[0]?.body).toEqual({
      model: "viduq3-pro",
      prompt: "A lighthouse in a storm",
      seed: 3,
      aspect_ratio: "9:16",
      resolution: "1080p",
      audio: true,
    });
    expect(output).toEqual(["https://prod-ss-vidu.s3.amazonaws.com/v.mp4"]);
    expect(metrics).toEqual({ videos: 1, seconds: 5, credits: 8 });
    expect(logs).toEqual([
      "job 836981282091204608",
      "job 836981282091204608: created",
      "job 836981282091204608: queueing",
      "job 836981282091204608: processing",
    ]);
  });

  test.each([
    ["/ent/v2/img2video", {}, ["https://a.b/first.png"]],
    [
      "/ent/v2/start-end2video",
      { last_image: "data:image/png;base64,aGk=" },
      ["https://a.b/first.png", "data:image/png;base64,aGk="],
    ],
  ])("a video from images goes to %s", async (path, more, images) => {
    await using double = await startViduDouble();
    await runAdapter({
      ...call,
      baseUrl: double.baseUrl,
      task: "image-to-video",
      input: { image: "https://a.b/first.png", duration: 8, ...more },
    });
    expect(double.requests[0]).toMatchObject({
      path,
      body: { model: "viduq3-pro", images, duration: 8 },
    });
  });

  test("a model that is listed for texts takes an image as well", async () => {
    await using double = await startViduDouble();
    const input = { prompt: "zoom", image: "https://a.b/first.png" };
    await runAdapter({ ...call, input, baseUrl: double.baseUrl });
    expect(double.requests[0]?.path).toBe("/ent/v2/img2video");
  });

  test.each([
    ["negative_prompt", "viduq3-pro", "text-to-video", { prompt: "x", negative_prompt: "fog" }],
    ["audio", "viduq2", "text-to-video", { prompt: "x", audio: true }],
    [
      "aspect_ratio",
      "viduq3-pro",
      "image-to-video",
      { image: "https://a.b/c.png", aspect_ratio: "1:1" },
    ],
  ] as const)("%s is refused for %s, %s", async (parameter, model, task, input) => {
    await using double = await startViduDouble();
    const failure = await failureOf(
      runAdapter({ ...call, model, task, input, baseUrl: double.baseUrl }),
    );
    expect(failure).toMatchObject({ code: "unsupported_parameter", parameter });
    expect(double.requests).toEqual([]);
  });

  describeJobs({
    start: startViduDouble,
    call,
    create: "/text2video",
    look: "/tasks/{id}/creations",
    waiting: viduWaiting,
    failed: {
      body: { ...viduWaiting, state: "failed", err_code: "AuditSubmitIllegal" },
      words: /AuditSubmitIllegal/,
    },
    limited: { code: 429, reason: "TooManyRequests", message: "too many requests", metadata: {} },
    cancel: { method: "POST", path: "/tasks/{id}/cancel" },
  });
});
