import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { toFile } from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { callKey, startHarness, type Harness } from "../../unit/gateway/harness.ts";
import { client, dataUri, failing, give, inputs, models, wav } from "./media-support.ts";

// Own models behind OpenAI's calls for speech, with OpenAI's own client unmodified. If one of these fails, an
// app that changes nothing but its base URL gets something else than it gets from OpenAI.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ models });
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

describe("speech", () => {
  const speech = { model: "acme/voice", input: "Good morning.", voice: "anna" };

  it("answers with the sound's bytes and type", async () => {
    harness.coglet.play(give(dataUri("audio/x-wav", wav)));
    const answer = await client(harness).audio.speech.create({
      ...speech,
      speed: 1.5,
      response_format: "wav",
    });
    expect(answer.headers.get("content-type")).toBe("audio/wav");
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(wav);
    expect(inputs(harness)).toEqual([{ text: "Good morning.", speaker: "anna", speed: 1.5 }]);
  });

  it("streams the sound as events", async () => {
    harness.coglet.play(give(dataUri("audio/wav", wav), { input_tokens: 4, output_tokens: 9 }));
    const answer = await client(harness).audio.speech.create({ ...speech, stream_format: "sse" });
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    const events = (await answer.text())
      .split("\n\n")
      .filter((event) => event !== "")
      .map((event) => JSON.parse(event.slice("data: ".length)) as unknown);
    expect(events).toEqual([
      { type: "speech.audio.delta", audio: wav.toString("base64") },
      {
        type: "speech.audio.done",
        usage: { input_tokens: 4, output_tokens: 9, total_tokens: 13 },
      },
    ]);
  });

  it("does not pass off one format as another", async () => {
    harness.coglet.play(give(dataUri("audio/wav", wav)));
    await expect(
      client(harness).audio.speech.create({ ...speech, response_format: "mp3" }),
    ).rejects.toMatchObject({ status: 400, param: "response_format" });
  });

  it("refuses an unknown voice, a text that is too long, and says why a model failed", async () => {
    await expect(
      client(harness).audio.speech.create({ ...speech, voice: "carl" }),
    ).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('"anna", "bert"'),
    });
    await expect(
      client(harness).audio.speech.create({ ...speech, input: "a".repeat(4097) }),
    ).rejects.toMatchObject({ param: "input" });
    expect(harness.upstream.acquired).toEqual([]);
    harness.coglet.play(failing);
    await expect(client(harness).audio.speech.create(speech)).rejects.toMatchObject({
      status: 500,
    });
  });
});

describe("transcriptions", () => {
  const said = {
    text: "Hello there. Bye.",
    language: "en",
    segments: [
      { start: 0, end: 1.5, text: " Hello there.", avg_logprob: -0.1 },
      { start: 1.5, end: 2.25, text: " Bye." },
    ],
    words: [{ word: "Hello", start: 0, end: 0.5 }],
  };
  const file = (): Promise<File> => toFile(wav, "hello.wav", { type: "audio/wav" });

  it("gives the text", async () => {
    harness.coglet.play(give(said, { input_tokens: 10, output_tokens: 5 }));
    const answer = await client(harness).audio.transcriptions.create({
      model: "acme/ears",
      file: await file(),
      language: "en",
    });
    expect(answer).toEqual({
      text: said.text,
      usage: { type: "tokens", input_tokens: 10, output_tokens: 5, total_tokens: 15 },
    });
    expect(inputs(harness)).toEqual([{ audio: dataUri("audio/wav", wav), language: "en" }]);
  });

  it("gives text, subtitles and every detail", async () => {
    harness.coglet.play(give(said));
    const create = async <F extends "text" | "srt" | "vtt">(format: F): Promise<string> =>
      client(harness).audio.transcriptions.create({
        model: "acme/ears",
        file: await file(),
        response_format: format,
      }) as unknown as Promise<string>;
    expect(await create("text")).toBe("Hello there. Bye.\n");
    expect(await create("srt")).toBe(
      "1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n2\n00:00:01,500 --> 00:00:02,250\nBye.\n\n",
    );
    expect(await create("vtt")).toMatch(
      /^WEBVTT\n\n00:00:00\.000 --> 00:00:01\.500\nHello there\./,
    );
    const verbose = await client(harness).audio.transcriptions.create({
      model: "acme/ears",
      file: await file(),
      response_format: "verbose_json",
      timestamp_granularities: ["word", "segment"],
    });
    expect(verbose).toMatchObject({
      task: "transcribe",
      language: "en",
      duration: 2.25,
      words: said.words,
      segments: [{ id: 0, start: 0, end: 1.5, avg_logprob: -0.1 }, { id: 1 }],
    });
    expect(inputs(harness).at(-1)).toMatchObject({ word_timestamps: true });
  });

  it("streams the text of a model that yields it", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      for (const word of ["Hello ", "there."]) await prediction.output(word);
      prediction.complete();
    });
    const stream = await client(harness).audio.transcriptions.create({
      model: "acme/typist",
      file: await file(),
      stream: true,
    });
    const events = [];
    for await (const event of stream) events.push(event);
    expect(events).toEqual([
      { type: "transcript.text.delta", delta: "Hello " },
      { type: "transcript.text.delta", delta: "there." },
      { type: "transcript.text.done", text: "Hello there." },
    ]);
  });

  it("translates with a model that can", async () => {
    harness.coglet.play(give({ translation: "Good day." }));
    const answer = await client(harness).audio.translations.create({
      model: "acme/ears",
      file: await file(),
    });
    expect(answer.text).toBe("Good day.");
    expect(inputs(harness)[0]).toMatchObject({ translate: true });
    await expect(
      client(harness).audio.translations.create({ model: "acme/typist", file: await file() }),
    ).rejects.toMatchObject({ code: "unsupported_parameter" });
  });

  it("refuses subtitles from a model that has no times, and a form that is none", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("Hello");
      prediction.complete();
    });
    await expect(
      client(harness).audio.transcriptions.create({
        model: "acme/typist",
        file: await file(),
        response_format: "srt",
      }),
    ).rejects.toMatchObject({ param: "response_format" });
    const post = (body: string, type: string): Promise<Response> =>
      harness.call("/v1/audio/transcriptions", {
        method: "POST",
        body,
        headers: { "content-type": type },
      });
    for (const [body, type] of [
      ["{}", "application/json"],
      ["--b\r\nno head", "multipart/form-data; boundary=b"],
      ["nothing", "multipart/form-data; boundary=b"],
      ["--b--\r\n", "multipart/form-data; boundary=b"],
      [
        '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nacme/ears',
        "multipart/form-data; boundary=b",
      ],
    ] as const) {
      const answer = await post(body, type);
      expect([answer.status, body]).toEqual([400, body]);
      expect(await answer.json()).toMatchObject({ error: { type: "invalid_request_error" } });
    }
  });

  it("refuses a file that is too large without reading it into memory, and leaves nothing on disk", async () => {
    const answer = await fetch(`${harness.url}/v1/audio/transcriptions`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${callKey}`,
        "content-type": "multipart/form-data; boundary=b",
      },
      body: Buffer.alloc(73 * 1024 * 1024),
    });
    expect(answer.status).toBe(413);
    expect(await readdir(join(harness.directory, "files"))).toEqual([]);
  });
});
