import { describe, expect, test } from "vitest";

import { minimax } from "../../../../../../gateway/upstream/provider/adapters/minimax.ts";
import { json, sse } from "../../../../../support/provider-double.ts";
import { runAdapter } from "../../../../../support/run-adapter.ts";
import { failureOf } from "../doubles/expect-failure.ts";
import { describeJobs } from "../doubles/job-contract.ts";
import {
  minimaxError,
  minimaxV2Waiting,
  minimaxWaiting,
  spoken,
  startMinimaxDouble,
} from "../doubles/minimax.ts";

const video = {
  adapter: minimax,
  model: "MiniMax-Hailuo-2.3",
  task: "text-to-video",
  input: { prompt: "A train" },
} as const;
const speech = {
  adapter: minimax,
  model: "speech-2.8-hd",
  task: "text-to-speech",
  input: { text: "Bonjour" },
  isStreaming: false,
} as const;
const chat = {
  adapter: minimax,
  model: "MiniMax-M2.5",
  task: "text-generation",
  input: { prompt: "Hi" },
} as const;
const png = "data:image/png;base64,aGk=";

describe("MiniMax", () => {
  test("a chat, streamed and whole", async () => {
    await using double = await startMinimaxDouble();
    const streamed = await runAdapter({ ...chat, baseUrl: double.baseUrl });
    expect(streamed.emitted).toEqual(["Hi ", "you"]);
    const whole = await runAdapter({ ...chat, isStreaming: false, baseUrl: double.baseUrl });
    expect(whole.output).toEqual(["Hi you"]);
    expect(whole.metrics).toMatchObject({ input_tokens: 6, output_tokens: 2 });
  });

  test("an error in a chat's 200, whole or streamed, is not an answer", async () => {
    await using double = await startMinimaxDouble();
    double.next(json({ choices: null, ...(minimaxError(1008, "insufficient balance") as object) }));
    const poor = await failureOf(
      runAdapter({ ...chat, isStreaming: false, baseUrl: double.baseUrl }),
    );
    expect(poor.message).toMatch(/402.*insufficient balance/);
    double.next(sse([minimaxError(1002, "rate limit")]));
    expect((await failureOf(runAdapter({ ...chat, baseUrl: double.baseUrl }))).code).toBe(
      "rate_limited",
    );
  });

  test("speech comes as hex and goes out as a data URI, with its characters and seconds", async () => {
    await using double = await startMinimaxDouble();
    const { output, metrics } = await runAdapter({ ...speech, baseUrl: double.baseUrl });
    expect(double.requests[0]?.body).toEqual({
      model: "speech-2.8-hd",
      text: "Bonjour",
      stream: false,
      output_format: "hex",
      voice_setting: { voice_id: "English_expressive_narrator" },
      audio_setting: { format: "mp3" },
    });
    expect(output).toBe(`data:audio/mpeg;base64,${Buffer.from("sound").toString("base64")}`);
    expect(metrics).toEqual({ characters: 12, seconds: 1.25 });
  });

  test("for a reader who hears along, pieces come as they are made", async () => {
    await using double = await startMinimaxDouble();
    const streamed = { ...speech, isStreaming: true, baseUrl: double.baseUrl };
    const { output, emitted, metrics } = await runAdapter(streamed);
    expect(double.requests[0]?.body).toMatchObject({
      stream: true,
      stream_options: { exclude_aggregated_audio: true },
    });
    const sounds = ["so", "und"].map((text) => Buffer.from(text).toString("base64"));
    expect(emitted).toEqual(sounds.map((sound) => `data:audio/mpeg;base64,${sound}`));
    expect(output).toEqual(emitted);
    expect(metrics).toEqual({ characters: 12, seconds: 1.25 });
    double.next(sse([spoken("so", 1)]));
    expect((await failureOf(runAdapter(streamed))).code).toBe("upstream_cut");
    double.next(sse([minimaxError(1042, "too many invisible characters")]));
    expect((await failureOf(runAdapter(streamed))).code).toBe("invalid_input");
  });

  test.each([
    ["fr-CA", "French"],
    ["yue", "Chinese,Yue"],
    ["German", "German"],
    ["auto", "auto"],
  ])("language %s is told as %s", async (language, name) => {
    await using double = await startMinimaxDouble();
    const input = { ...speech.input, language, voice: "Wise_Woman", format: "wav", speed: 1.5 };
    await runAdapter({ ...speech, input, baseUrl: double.baseUrl });
    expect(double.requests[0]?.body).toMatchObject({
      language_boost: name,
      voice_setting: { voice_id: "Wise_Woman", speed: 1.5 },
      audio_setting: { format: "wav" },
    });
  });

  test("images by ratio or by pixels, with a person to keep", async () => {
    await using double = await startMinimaxDouble();
    const image = { ...video, model: "image-01", baseUrl: double.baseUrl } as const;
    const { output, metrics } = await runAdapter({
      ...image,
      task: "text-to-image",
      input: { prompt: "x", aspect_ratio: "16:9", n: 2, seed: 9 },
    });
    expect(output).toEqual(["https://i.minimax/0", "https://i.minimax/1"]);
    expect(metrics).toEqual({ images: 2 });
    await runAdapter({
      ...image,
      task: "image-to-image",
      input: { prompt: "x", size: "1152x2048", image: [png] },
    });
    expect(double.requests[1]?.body).toEqual({
      model: "image-01",
      prompt: "x",
      width: 1152,
      height: 2048,
      response_format: "url",
      subject_reference: [{ type: "character", image_file: png }],
    });
  });

  test("a video is a task, then a file, then its URL", async () => {
    await using double = await startMinimaxDouble();
    const { output, metrics, logs } = await runAdapter({
      ...video,
      task: "image-to-video",
      model: "MiniMax-Hailuo-02",
      input: { image: png, last_image: png, resolution: "768p", duration: 10 },
      baseUrl: double.baseUrl,
    });
    expect(double.requests[0]?.body).toEqual({
      model: "MiniMax-Hailuo-02",
      duration: 10,
      resolution: "768P",
      first_frame_image: png,
      last_frame_image: png,
    });
    expect(output).toEqual(["https://v.minimax/output.mp4"]);
    expect(metrics).toEqual({ videos: 1, seconds: 10 });
    expect(logs).toEqual([
      "job 176843862716480",
      "job 176843862716480: queueing",
      "job 176843862716480: processing",
    ]);
  });

  test("a rate limit in the 200 of a look does not lose the video", async () => {
    await using double = await startMinimaxDouble();
    double.nextAt("/v1/query/video_generation", json(minimaxError(1002, "rate limit")));
    const { output } = await runAdapter({ ...video, baseUrl: double.baseUrl });
    expect(output).toEqual(["https://v.minimax/output.mp4"]);
  });

  test("the H3 models have the second API: content with roles, a shape for a text alone", async () => {
    await using double = await startMinimaxDouble();
    const h3 = { ...video, model: "MiniMax-H3", baseUrl: double.baseUrl } as const;
    const { output, metrics } = await runAdapter(h3);
    expect(double.requests[0]?.body).toEqual({
      model: "MiniMax-H3",
      content: [{ type: "text", text: "A train" }],
      resolution: "768P",
      duration: 5,
      ratio: "16:9",
    });
    expect(output).toEqual(["https://v.minimax/h3.mp4"]);
    expect(metrics).toEqual({ videos: 1, seconds: 5, input_tokens: 0, output_tokens: 260_390 });
    await runAdapter({
      ...h3,
      task: "image-to-video",
      input: { prompt: "x", image: png, last_image: "https://a.b/l.png", resolution: "2k" },
    });
    expect(double.requests.at(-2)?.body).toMatchObject({
      resolution: "2K",
      content: [{ type: "text" }, { role: "first_frame" }, { role: "last_frame" }],
    });
  });

  test.each([
    [1002, "rate_limited"],
    [1004, "upstream_failed"],
    [1026, "invalid_input"],
    [2013, "invalid_input"],
    [1000, "upstream_failed"],
  ])("code %i in an answer with status 200 is a failure: %s", async (code, expected) => {
    await using double = await startMinimaxDouble();
    for (const call of [video, speech]) {
      double.next(json(minimaxError(code, "said so")));
      const failure = await failureOf(runAdapter({ ...call, baseUrl: double.baseUrl }));
      expect(failure.code).toBe(expected);
      expect(failure.message).toContain(`said so (${code})`);
    }
  });

  test.each([
    ["aspect_ratio", video, { prompt: "x", aspect_ratio: "16:9" }],
    ["seed", video, { prompt: "x", seed: 1 }],
    ["instructions", speech, { text: "x", instructions: "sadly" }],
    ["temperature", speech, { text: "x", temperature: 1 }],
  ] as const)("%s is refused", async (parameter, call, input) => {
    await using double = await startMinimaxDouble();
    const failure = await failureOf(runAdapter({ ...call, input, baseUrl: double.baseUrl }));
    expect(failure).toMatchObject({ code: "unsupported_parameter", parameter });
    expect(double.requests).toEqual([]);
  });

  describe("first video API", () => {
    describeJobs({
      start: startMinimaxDouble,
      call: video,
      create: "/v1/video_generation",
      look: "/v1/query/video_generation",
      waiting: minimaxWaiting,
      failed: {
        body: {
          ...minimaxWaiting,
          status: "Fail",
          ...(minimaxError(1027, "the video contains sensitive content") as object),
        },
        words: /the video contains sensitive content \(1027\)/,
      },
      limited: minimaxError(1002, "rate limit"),
    });
  });

  describe("second video API", () => {
    describeJobs({
      start: startMinimaxDouble,
      call: { ...video, model: "MiniMax-H3" },
      create: "/v2/video_generation",
      look: "/v2/query/video_generation/{id}",
      waiting: minimaxV2Waiting,
      failed: {
        body: {
          task: {
            id: "424010985738629",
            status: "failed",
            error: { code: "1026", message: "video description contains sensitive content" },
          },
        },
        words: /video description contains sensitive content \(1026\)/,
      },
      limited: {
        type: "error",
        error: { type: "rate_limit_error", message: "rate limit (1002)", http_code: "429" },
      },
      cancel: { method: "DELETE", path: "/v2/video_generation/{id}" },
    });
  });
});
