import { readFile } from "node:fs/promises";
import { join } from "node:path";
import OpenAI, { toFile } from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  callKey,
  chatModel,
  startHarness,
  until,
  type Harness,
} from "../../unit/gateway/harness.ts";
import type { FakePrediction, Play } from "../../unit/gateway/fake-coglet.ts";
import type { CatalogEntry } from "../../../gateway/index.ts";

// Own models behind OpenAI's calls for vectors, pictures and sound, with OpenAI's own client unmodified. If one of
// these fails, an app that changes nothing but its base URL gets something else than it gets from OpenAI.

const text = { type: "string" } as const;
const uri = { type: "string", format: "uri" } as const;
const numbers = { type: "array", items: { type: "number" } } as const;

function model(
  id: string,
  task: CatalogEntry["task"],
  properties: Readonly<Record<string, object>>,
  facts: Partial<CatalogEntry> = {},
): CatalogEntry {
  return {
    ...chatModel,
    id,
    task,
    inputSchema: { type: "object", properties },
    outputSchema: uri,
    isStreaming: false,
    requestFormats: ["predictions"],
    ...facts,
  };
}

const iterator = { type: "array", items: uri, "x-cog-array-type": "iterator" };
const models: readonly CatalogEntry[] = [
  chatModel,
  model(
    "acme/vectors",
    "text-embeddings",
    { texts: { type: "array", items: text }, dimensions: { type: "integer" } },
    { outputSchema: { type: "array", items: numbers } },
  ),
  model("acme/one-vector", "text-embeddings", { text }, { outputSchema: numbers }),
  model("acme/painter", "text-to-image", {
    prompt: text,
    width: { type: "integer" },
    height: { type: "integer" },
    seed: { type: "integer" },
  }),
  model(
    "acme/slow-painter",
    "text-to-image",
    { prompt: text },
    {
      outputSchema: iterator,
      isStreaming: true,
    },
  ),
  model("acme/editor", "image-to-image", {
    prompt: text,
    image: { type: "array", items: uri },
    mask: uri,
    num_outputs: { type: "integer", maximum: 4 },
    output_format: { ...text, enum: ["png", "jpg"] },
  }),
  model("acme/voice", "text-to-speech", {
    text,
    speaker: { ...text, enum: ["anna", "bert"] },
    speed: { type: "number" },
  }),
  model(
    "acme/ears",
    "automatic-speech-recognition",
    {
      audio: uri,
      language: text,
      translate: { type: "boolean" },
      word_timestamps: { type: "boolean" },
    },
    { outputSchema: { type: "object" } },
  ),
  model(
    "acme/typist",
    "automatic-speech-recognition",
    { audio: uri },
    {
      outputSchema: chatModel.outputSchema,
      isStreaming: true,
    },
  ),
];

const png = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(40, 7)]);
const png2 = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(40, 9)]);
const wav = Buffer.concat([Buffer.from("RIFF0000WAVE", "latin1"), Buffer.alloc(64, 3)]);
const dataUri = (type: string, bytes: Buffer): string =>
  `data:${type};base64,${bytes.toString("base64")}`;

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ models });
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

const client = (): OpenAI =>
  new OpenAI({ apiKey: callKey, baseURL: `${harness.url}/v1`, maxRetries: 0 });
const give =
  (output: unknown, metrics: object = { predict_time: 0.1 }): Play =>
  (prediction) =>
    prediction.complete({ output, metrics });
const failing: Play = (prediction) =>
  prediction.complete({ status: "failed", error: "out of paint", output: null });
const inputs = (): readonly FakePrediction["input"][] =>
  harness.coglet.predictions.map(({ input }) => input);

describe("embeddings", () => {
  it("sends a list in one prediction and gives OpenAI's floats and usage", async () => {
    harness.coglet.play(
      give(
        [
          [1, 0.5],
          [-0.25, 2],
        ],
        { input_tokens: 6 },
      ),
    );
    const answer = await client().embeddings.create({
      model: "acme/vectors",
      input: ["a cat", "a dog"],
      dimensions: 2,
    });
    // The client asks for base64 by itself and decodes it.
    expect(answer.data).toEqual([
      { object: "embedding", index: 0, embedding: [1, 0.5] },
      { object: "embedding", index: 1, embedding: [-0.25, 2] },
    ]);
    expect(answer).toMatchObject({ object: "list", model: "acme/vectors" });
    expect(answer.usage).toEqual({ prompt_tokens: 6, total_tokens: 6 });
    expect(inputs()).toEqual([{ texts: ["a cat", "a dog"], dimensions: 2 }]);
  });

  it("gives plain numbers when asked for float, and says that a count is guessed", async () => {
    harness.coglet.play(give({ embedding: [0.1, 0.2] }));
    const answer = await client().embeddings.create({
      model: "acme/one-vector",
      input: "twelve bytes",
      encoding_format: "float",
    });
    expect(answer.data[0]?.embedding).toEqual([0.1, 0.2]);
    expect(answer.usage).toEqual({ prompt_tokens: 3, total_tokens: 3, estimated: true });
  });

  it("asks a model that takes one text once per text, and keeps the order", async () => {
    harness.coglet.play(async (prediction) => {
      const said = String(prediction.input["text"]);
      // The first one answers last.
      if (said === "t0") await until("the others", () => harness.coglet.predictions.length > 3);
      prediction.complete({ output: [Number(said.slice(1)), 1] });
    });
    const input = Array.from({ length: 6 }, (_, index) => `t${index}`);
    const answer = await client().embeddings.create({ model: "acme/one-vector", input });
    expect(answer.data.map(({ embedding }) => embedding[0])).toEqual([0, 1, 2, 3, 4, 5]);
    expect(harness.coglet.predictions).toHaveLength(6);
  });

  it("fails as a whole when one text fails", async () => {
    harness.coglet.play(give([1]), failing);
    await expect(
      client().embeddings.create({ model: "acme/one-vector", input: ["a", "b", "c"] }),
    ).rejects.toMatchObject({ status: 500, message: expect.stringContaining("out of paint") });
  });

  it("refuses tokens, empty input, a dimension that the model lacks and a chat model, before anything is woken", async () => {
    const create = (fields: object): Promise<unknown> =>
      client().embeddings.create({ model: "acme/vectors", input: "x", ...fields });
    await expect(create({ input: [1, 2, 3] })).rejects.toMatchObject({
      status: 400,
      param: "input",
    });
    await expect(create({ input: [[1, 2]] })).rejects.toMatchObject({
      status: 400,
      param: "input",
    });
    await expect(create({ input: [] })).rejects.toMatchObject({ status: 400, param: "input" });
    await expect(create({ input: ["a", ""] })).rejects.toMatchObject({ param: "input" });
    await expect(create({ input: Array(2049).fill("x") })).rejects.toMatchObject({
      param: "input",
    });
    await expect(create({ model: "acme/one-vector", dimensions: 8 })).rejects.toMatchObject({
      code: "unsupported_parameter",
      param: "dimensions",
    });
    await expect(create({ model: "acme/chat" })).rejects.toMatchObject({
      status: 400,
      param: "model",
    });
    await expect(create({ model: "acme/none" })).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    expect(harness.upstream.acquired).toEqual([]);
  });

  it("does not pass off too few vectors as all of them", async () => {
    harness.coglet.play(give([[1, 2]]));
    await expect(
      client().embeddings.create({ model: "acme/vectors", input: ["a", "b"] }),
    ).rejects.toMatchObject({
      status: 502,
      message: expect.stringContaining("1 embeddings for 2"),
    });
  });
});

describe("images", () => {
  it("makes an image of the size that was asked for", async () => {
    harness.coglet.play(give(dataUri("image/png", png)));
    const answer = await client().images.generate({
      model: "acme/painter",
      prompt: "a lighthouse",
      size: "1024x768",
      quality: "standard",
    });
    expect(answer.data).toEqual([{ b64_json: png.toString("base64") }]);
    expect(answer).toMatchObject({ created: 1795435200, size: "1024x768" });
    expect(inputs()).toEqual([{ prompt: "a lighthouse", width: 1024, height: 768 }]);
  });

  it("makes several with a model that makes one, each from a seed of its own", async () => {
    harness.coglet.play((prediction) => {
      prediction.complete({
        output: dataUri("image/png", prediction.input["seed"] === 5 ? png : png2),
      });
    });
    const answer = await client().images.generate({
      model: "acme/painter",
      prompt: "x",
      n: 2,
      ...({ seed: 5 } as object),
    });
    expect(answer.data?.map((image) => image.b64_json)).toEqual([
      png.toString("base64"),
      png2.toString("base64"),
    ]);
  });

  it("gives a URL that works without a key", async () => {
    harness.coglet.play(give(dataUri("image/png", png)));
    const answer = await client().images.generate({
      model: "acme/painter",
      prompt: "x",
      response_format: "url",
    });
    const file = await fetch(answer.data?.[0]?.url ?? "");
    expect(file.headers.get("content-type")).toBe("image/png");
    expect(Buffer.from(await file.arrayBuffer())).toEqual(png);
  });

  it("edits images from a form: files in, files out", async () => {
    harness.coglet.play(give([dataUri("image/png", png), dataUri("image/png", png2)]));
    const answer = await client().images.edit({
      model: "acme/editor",
      prompt: "add a boat",
      image: [
        await toFile(png, "one.png", { type: "image/png" }),
        await toFile(png2, "two.png", { type: "image/png" }),
      ],
      mask: await toFile(png, "mask.png", { type: "image/png" }),
      n: 2,
      output_format: "jpeg",
      response_format: "b64_json",
    });
    expect(answer.data).toHaveLength(2);
    expect(inputs()).toEqual([
      {
        prompt: "add a boat",
        image: [dataUri("image/png", png), dataUri("image/png", png2)],
        mask: dataUri("image/png", png),
        num_outputs: 2,
        output_format: "jpg",
      },
    ]);
  });

  it("edits an image that is named in JSON, an uploaded file too", async () => {
    const upload = await harness.call("/v1/files", {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body: `--b\r\ncontent-disposition: form-data; name="content"; filename="a.png"\r\ncontent-type: image/png\r\n\r\nPIXELS\r\n--b--\r\n`,
    });
    const { id } = (await upload.json()) as { id: string };
    harness.coglet.play(give([dataUri("image/png", png)]));
    const answer = await harness.call("/v1/images/edits", {
      body: {
        model: "acme/editor",
        prompt: "x",
        images: [{ file_id: id }, { image_url: "data:image/png;base64,AAAA" }],
      },
    });
    expect(answer.status).toBe(200);
    expect(inputs()[0]?.["image"]).toEqual([
      dataUri("image/png", Buffer.from("PIXELS")),
      "data:image/png;base64,AAAA",
    ]);
  });

  it("streams the images that a model yields on its way, and the last one as the answer", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      for (const image of [png2, png2, png]) await prediction.output(dataUri("image/png", image));
      prediction.complete();
    });
    const stream = await client().images.generate({
      model: "acme/slow-painter",
      prompt: "x",
      stream: true,
      partial_images: 2,
    });
    const events = [];
    for await (const event of stream) events.push(event);
    expect(events.map(({ type, b64_json }) => [type, b64_json])).toEqual([
      ["image_generation.partial_image", png2.toString("base64")],
      ["image_generation.partial_image", png2.toString("base64")],
      ["image_generation.completed", png.toString("base64")],
    ]);
    expect(events[1]).toMatchObject({ partial_image_index: 1 });
  });

  it("streams the one image of a model that yields nothing on its way", async () => {
    harness.coglet.play(give(dataUri("image/png", png)));
    const stream = await client().images.generate({
      model: "acme/painter",
      prompt: "x",
      stream: true,
    });
    const types: string[] = [];
    for await (const event of stream) types.push(event.type);
    expect(types).toEqual(["image_generation.completed"]);
  });

  it("throws a failure, streamed or not", async () => {
    harness.coglet.play(failing);
    const create = (fields: object): Promise<unknown> =>
      client().images.generate({ model: "acme/painter", prompt: "x", ...fields });
    await expect(create({})).rejects.toMatchObject({ status: 500 });
    await expect(create({ stream: true })).rejects.toMatchObject({ status: 500 });
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output(dataUri("image/png", png));
      await prediction.output(dataUri("image/png", png));
      prediction.complete({ status: "failed", error: "out of paint" });
    });
    const stream = await client().images.generate({
      model: "acme/slow-painter",
      prompt: "x",
      stream: true,
      partial_images: 3,
    });
    const read = async (): Promise<void> => {
      for await (const event of stream) expect(event.type).toBe("image_generation.partial_image");
    };
    await expect(read()).rejects.toThrow(/out of paint/);
  });

  it("does not fetch an image from where only the gateway can reach", async () => {
    harness.coglet.play(give("http://127.0.0.1:9/secret.png"));
    await expect(
      client().images.generate({ model: "acme/painter", prompt: "x", response_format: "b64_json" }),
    ).rejects.toMatchObject({ status: 502, message: expect.stringContaining("not public") });
  });

  it("refuses what the model cannot do, before anything is woken", async () => {
    const create = (fields: object): Promise<unknown> =>
      client().images.generate({ model: "acme/painter", prompt: "x", ...fields });
    await expect(create({ prompt: "" })).rejects.toMatchObject({ param: "prompt" });
    await expect(create({ n: 11 })).rejects.toMatchObject({ param: "n" });
    await expect(create({ size: "huge" })).rejects.toMatchObject({ param: "size" });
    await expect(create({ quality: "high" })).rejects.toMatchObject({ param: "quality" });
    await expect(create({ output_format: "webp" })).rejects.toMatchObject({
      param: "output_format",
    });
    await expect(create({ stream: true, n: 2 })).rejects.toMatchObject({ param: "n" });
    await expect(create({ model: "acme/chat" })).rejects.toMatchObject({ param: "model" });
    await expect(create({ depth_map: "x" })).rejects.toMatchObject({ param: "depth_map" });
    expect(harness.upstream.acquired).toEqual([]);
  });
});

describe("speech", () => {
  const speech = { model: "acme/voice", input: "Good morning.", voice: "anna" };

  it("answers with the sound's bytes and type", async () => {
    harness.coglet.play(give(dataUri("audio/x-wav", wav)));
    const answer = await client().audio.speech.create({
      ...speech,
      speed: 1.5,
      response_format: "wav",
    });
    expect(answer.headers.get("content-type")).toBe("audio/wav");
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(wav);
    expect(inputs()).toEqual([{ text: "Good morning.", speaker: "anna", speed: 1.5 }]);
  });

  it("streams the sound as events", async () => {
    harness.coglet.play(give(dataUri("audio/wav", wav), { input_tokens: 4, output_tokens: 9 }));
    const answer = await client().audio.speech.create({ ...speech, stream_format: "sse" });
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
      client().audio.speech.create({ ...speech, response_format: "mp3" }),
    ).rejects.toMatchObject({ status: 400, param: "response_format" });
  });

  it("refuses an unknown voice, a text that is too long, and says why a model failed", async () => {
    await expect(client().audio.speech.create({ ...speech, voice: "carl" })).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('"anna", "bert"'),
    });
    await expect(
      client().audio.speech.create({ ...speech, input: "a".repeat(4097) }),
    ).rejects.toMatchObject({ param: "input" });
    expect(harness.upstream.acquired).toEqual([]);
    harness.coglet.play(failing);
    await expect(client().audio.speech.create(speech)).rejects.toMatchObject({ status: 500 });
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
    const answer = await client().audio.transcriptions.create({
      model: "acme/ears",
      file: await file(),
      language: "en",
    });
    expect(answer).toEqual({
      text: said.text,
      usage: { type: "tokens", input_tokens: 10, output_tokens: 5, total_tokens: 15 },
    });
    expect(inputs()).toEqual([{ audio: dataUri("audio/wav", wav), language: "en" }]);
  });

  it("gives text, subtitles and every detail", async () => {
    harness.coglet.play(give(said));
    const create = async <F extends "text" | "srt" | "vtt">(format: F): Promise<string> =>
      client().audio.transcriptions.create({
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
    const verbose = await client().audio.transcriptions.create({
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
    expect(inputs().at(-1)).toMatchObject({ word_timestamps: true });
  });

  it("streams the text of a model that yields it", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      for (const word of ["Hello ", "there."]) await prediction.output(word);
      prediction.complete();
    });
    const stream = await client().audio.transcriptions.create({
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
    const answer = await client().audio.translations.create({
      model: "acme/ears",
      file: await file(),
    });
    expect(answer.text).toBe("Good day.");
    expect(inputs()[0]).toMatchObject({ translate: true });
    await expect(
      client().audio.translations.create({ model: "acme/typist", file: await file() }),
    ).rejects.toMatchObject({ code: "unsupported_parameter" });
  });

  it("refuses subtitles from a model that has no times, and a form that is none", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("Hello");
      prediction.complete();
    });
    await expect(
      client().audio.transcriptions.create({
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
    await expect(readFile(join(harness.directory, "files", "index"))).rejects.toThrow();
  });
});

describe("models", () => {
  it("lists and shows models, those with several slashes too", async () => {
    const ids: string[] = [];
    for await (const entry of client().models.list()) ids.push(entry.id);
    expect(ids).toEqual(models.map(({ id }) => id));
    expect(await client().models.retrieve("acme/painter")).toMatchObject({
      id: "acme/painter",
      object: "model",
      created: 1793491200,
      owned_by: "acme",
    });
    await expect(client().models.retrieve("acme/none")).rejects.toBeInstanceOf(
      OpenAI.NotFoundError,
    );
  });
});
