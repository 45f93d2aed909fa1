import { describe, expect, test } from "vitest";

import { inworld } from "../../../../../../gateway/upstream/provider/adapters/inworld.ts";
import { fail, json } from "../../../../../support/provider-double.ts";
import { runAdapter } from "../../../../../support/run-adapter.ts";
import { failureOf } from "../doubles/expect-failure.ts";
import { inworldLines, startInworldDouble } from "../doubles/inworld.ts";

const call = {
  adapter: inworld,
  model: "inworld-tts-1.5-max",
  task: "text-to-speech",
  input: { text: "Hello" },
  isStreaming: false,
} as const;

describe("InWorld", () => {
  test("speech as a data URI, MP3 with a voice when nothing else is asked, characters counted", async () => {
    await using double = await startInworldDouble();
    const { output, metrics } = await runAdapter({ ...call, baseUrl: double.baseUrl });
    expect(double.requests[0]?.body).toEqual({
      text: "Hello",
      voiceId: "Ashley",
      modelId: "inworld-tts-1.5-max",
      audioConfig: { audioEncoding: "MP3" },
    });
    expect(output).toBe(`data:audio/mpeg;base64,${Buffer.from("Hello").toString("base64")}`);
    expect(metrics).toEqual({ characters: 5 });
  });

  test("voice, speed, rate, language and format under InWorld's names", async () => {
    await using double = await startInworldDouble();
    const input = {
      text: "Hallo",
      voice: "Dennis",
      format: "opus",
      speed: 1.2,
      sample_rate: 24_000,
      language: "de-DE",
    };
    const { output } = await runAdapter({ ...call, input, baseUrl: double.baseUrl });
    expect(double.requests[0]?.body).toEqual({
      text: "Hallo",
      voiceId: "Dennis",
      modelId: "inworld-tts-1.5-max",
      audioConfig: { audioEncoding: "OGG_OPUS", sampleRateHertz: 24_000, speakingRate: 1.2 },
      language: "de-DE",
    });
    expect(output).toMatch(/^data:audio\/ogg;base64,/);
  });

  test("OpenAI's voice, which its clients cannot leave out, is no choice; the log says so", async () => {
    await using double = await startInworldDouble();
    const input = { text: "Hi", voice: "alloy" };
    const { logs } = await runAdapter({ ...call, input, baseUrl: double.baseUrl });
    expect(double.requests[0]?.body).toMatchObject({ voiceId: "Ashley" });
    expect(logs).toEqual(["voice alloy: spoken by Ashley"]);
  });

  test("for a reader who hears along, pieces come as they are made", async () => {
    await using double = await startInworldDouble();
    const input = { text: "Hello wörld" };
    const { output, emitted, metrics } = await runAdapter({
      ...call,
      input,
      isStreaming: true,
      baseUrl: double.baseUrl,
    });
    expect(double.requests[0]?.path).toBe("/tts/v1/voice:stream");
    const piece = (text: string): string =>
      `data:audio/mpeg;base64,${Buffer.from(text).toString("base64")}`;
    expect(emitted).toEqual([piece("Hello "), piece("wörld")]);
    expect(output).toEqual(emitted);
    expect(metrics).toEqual({ characters: 11 });
  });

  test("a format whose pieces cannot follow each other comes whole", async () => {
    await using double = await startInworldDouble();
    const input = { text: "Hi", format: "wav" };
    const { output } = await runAdapter({
      ...call,
      input,
      isStreaming: true,
      baseUrl: double.baseUrl,
    });
    expect(double.requests[0]?.path).toBe("/tts/v1/voice");
    expect(output).toEqual([`data:audio/wav;base64,${Buffer.from("Hi").toString("base64")}`]);
  });

  test("an error within the stream, and a stream without sound, are no speech", async () => {
    await using double = await startInworldDouble();
    const speak = (): Promise<unknown> =>
      runAdapter({ ...call, isStreaming: true, baseUrl: double.baseUrl });
    double.next(
      inworldLines([{ error: { code: 8, message: "Too many characters", details: [] } }]),
      inworldLines([]),
    );
    const limited = await failureOf(speak());
    expect(limited.code).toBe("rate_limited");
    expect(limited.message).toMatch(/Too many characters/);
    expect((await failureOf(speak())).code).toBe("upstream_cut");
  });

  test("what InWorld has no input for is refused", async () => {
    await using double = await startInworldDouble();
    const spoken = (input: object): Promise<unknown> =>
      runAdapter({ ...call, input: { ...call.input, ...input }, baseUrl: double.baseUrl });
    expect(await failureOf(spoken({ instructions: "sadly" }))).toMatchObject({
      code: "unsupported_parameter",
      parameter: "instructions",
    });
    expect(await failureOf(spoken({ format: "aac" }))).toMatchObject({
      code: "invalid_input",
      parameter: "format",
    });
    expect(double.requests).toEqual([]);
  });

  test("a refused text, a rate limit and an answer without audio are told apart", async () => {
    await using double = await startInworldDouble();
    const speak = (): Promise<unknown> => runAdapter({ ...call, baseUrl: double.baseUrl });
    double.next(
      fail(400, { code: 3, message: "Unknown voice: Bob", details: [] }),
      fail(429, { code: 8, message: "Resource exhausted", details: [] }, { "retry-after": "3" }),
      json({ usage: { processedCharactersCount: 5 } }),
    );
    const refused = await failureOf(speak());
    expect(refused.code).toBe("invalid_input");
    expect(refused.message).toMatch(/Unknown voice: Bob/);
    expect(await failureOf(speak())).toMatchObject({ code: "rate_limited", retryAfterMs: 3_000 });
    const broken = await failureOf(speak());
    expect(broken.code).toBe("upstream_failed");
    expect(broken.message).toMatch(/no audioContent/);
  });
});
