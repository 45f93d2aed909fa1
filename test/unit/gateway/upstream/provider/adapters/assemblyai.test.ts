import { describe, expect, test } from "vitest";

import { assemblyai } from "../../../../../../gateway/upstream/provider/adapters/assemblyai.ts";
import { runAdapter } from "../../../../../support/run-adapter.ts";
import { assemblyaiWaiting, startAssemblyaiDouble } from "../doubles/assemblyai.ts";
import { failureOf } from "../doubles/expect-failure.ts";
import { describeJobs } from "../doubles/job-contract.ts";

const call = {
  adapter: assemblyai,
  model: "universal-3-5-pro",
  task: "automatic-speech-recognition",
  input: { audio: "https://cdn.example/a.wav" },
} as const;

describe("AssemblyAI", () => {
  test("a public recording is transcribed by its URL, its language found, its length told", async () => {
    await using double = await startAssemblyaiDouble();
    const { output, metrics, pauses } = await runAdapter({ ...call, baseUrl: double.baseUrl });
    expect(double.requests[0]?.body).toEqual({
      audio_url: "https://cdn.example/a.wav",
      speech_models: ["universal-3-5-pro"],
      language_detection: true,
    });
    expect(output).toEqual({ text: "The sun", language: "en_us", duration: 7 });
    expect(metrics).toEqual({ seconds: 7 });
    expect(pauses).toEqual([3_000, 3_000, 3_000]);
  });

  test("a recording in the call is uploaded first", async () => {
    await using double = await startAssemblyaiDouble();
    const input = { audio: "data:audio/wav;base64,UklGRg==", language: "de", prompt: "Namen: Zoë" };
    await runAdapter({ ...call, input, baseUrl: double.baseUrl });
    expect(double.requests[0]?.body).toEqual(Buffer.from("RIFF"));
    expect(double.requests[1]?.body).toEqual({
      audio_url: "https://cdn.assemblyai.com/upload/f756988d",
      speech_models: ["universal-3-5-pro"],
      language_code: "de",
      prompt: "Namen: Zoë",
    });
  });

  test("words and sentences come with seconds, not milliseconds", async () => {
    await using double = await startAssemblyaiDouble();
    const times = async (timestamps: string): Promise<unknown> => {
      const input = { ...call.input, timestamps };
      return (await runAdapter({ ...call, input, baseUrl: double.baseUrl })).output;
    };
    expect(await times("word")).toMatchObject({
      words: [
        { word: "The", start: 0.032, end: 0.129 },
        { word: "sun", start: 0.129, end: 0.404 },
      ],
    });
    expect(await times("segment")).toMatchObject({
      segments: [{ id: 0, start: 0.032, end: 0.404, text: "The sun" }],
    });
    expect((await failureOf(times("letter") as Promise<unknown>)).code).toBe("invalid_input");
  });

  test("an older model is named in the older way", async () => {
    await using double = await startAssemblyaiDouble();
    await runAdapter({ ...call, model: "slam-1", baseUrl: double.baseUrl });
    expect(double.requests[0]?.body).toMatchObject({ speech_model: "slam-1" });
  });

  test("another task is refused", async () => {
    await using double = await startAssemblyaiDouble();
    const failure = await failureOf(
      runAdapter({ ...call, task: "text-to-speech", baseUrl: double.baseUrl }),
    );
    expect(failure).toMatchObject({ code: "unsupported_parameter", parameter: "model" });
  });

  describeJobs({
    start: startAssemblyaiDouble,
    call,
    create: "/transcript",
    look: "/transcript/{id}",
    waiting: assemblyaiWaiting,
    failed: {
      body: { ...assemblyaiWaiting, status: "error", error: "Download error: 404 Not Found" },
      words: /Download error: 404 Not Found/,
    },
    limited: { error: "Too many requests" },
  });
});
