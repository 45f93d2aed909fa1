import { describe, expect, it } from "vitest";

import type { CatalogEntry, JsonSchema } from "../../../../gateway/catalog/entry.ts";
import { standardShape } from "../../../../gateway/catalog/standard-schemas.ts";
import { validateInput } from "../../../../gateway/catalog/validate-input.ts";
import {
  embeddingCalls,
  embeddingVectors,
  vectorBase64,
} from "../../../../gateway/media/embeddings.ts";
import { mediaFormats } from "../../../../gateway/media/formats.ts";
import { imageInputs } from "../../../../gateway/media/images.ts";
import { outputFiles } from "../../../../gateway/media/output.ts";
import { speechInput } from "../../../../gateway/media/speech.ts";
import { renderSrt, renderVtt } from "../../../../gateway/media/subtitles.ts";
import { readTranscript, transcriptionInput } from "../../../../gateway/media/transcription.ts";
import { chatModel } from "../harness.ts";

// Which input of a model a call fills, and which part of its output is the answer. If one of these fails, a model that
// people already have cannot be called by the shape that its task has, or is called with something else.

const text = { type: "string" } as const;
const uri = { type: "string", format: "uri" } as const;

function entry(
  properties: Readonly<Record<string, JsonSchema>>,
  facts: Partial<CatalogEntry> = {},
): CatalogEntry {
  const inputSchema = { type: "object", properties };
  return {
    ...chatModel,
    task: "other",
    inputSchema,
    outputSchema: {},
    isStreaming: false,
    ...facts,
  };
}

describe("embeddings", () => {
  const inputsOf = (
    properties: Readonly<Record<string, JsonSchema>>,
    facts?: Partial<CatalogEntry>,
  ) => embeddingCalls(entry(properties, facts), { input: ["a", "b"] }).inputs;

  it("fills the model's own input, as a list, as JSON in a text, or once per text", () => {
    const list = { type: "array", items: text };
    expect(inputsOf({ sentences: list })).toEqual([{ sentences: ["a", "b"] }]);
    expect(inputsOf({ input: { anyOf: [text, list] } })).toEqual([{ input: ["a", "b"] }]);
    expect(inputsOf({ texts: { ...text, description: "A JSON list of texts" } })).toEqual([
      { texts: '["a","b"]' },
    ]);
    expect(inputsOf({ text })).toEqual([{ text: "a" }, { text: "b" }]);
    expect(inputsOf({ query: text }, { mapping: { inputs: { text: "query" } } })).toEqual([
      { query: "a" },
      { query: "b" },
    ]);
  });

  it("finds the vectors wherever models put them", () => {
    const two = [
      [1, 2],
      [3, 4],
    ];
    const found = (output: unknown, facts?: Partial<CatalogEntry>) =>
      embeddingVectors(entry({}, facts), output, 2);
    expect(found(two)).toEqual(two);
    expect(found({ embeddings: two })).toEqual(two);
    expect(found({ shape: [2, 2], data: two })).toEqual(two);
    expect(found([{ embedding: [1, 2] }, { embedding: [3, 4] }])).toEqual(two);
    // OpenAI's items say where they belong.
    expect(
      found({
        data: [
          { index: 1, embedding: [3, 4] },
          { index: 0, embedding: [1, 2] },
        ],
      }),
    ).toEqual(two);
    expect(found({ result: { all: two } }, { mapping: { output: "result.all" } })).toEqual(two);
    expect(embeddingVectors(entry({}), { embedding: [1, 2] }, 1)).toEqual([[1, 2]]);
  });

  it("takes nothing for a vector that is none, however deep", () => {
    let deep: unknown = { data: 1 };
    for (let depth = 0; depth < 100; depth += 1) deep = { data: deep };
    for (const output of [null, "text", [], {}, [[]], [["a"]], [1, "a"], { data: [] }, deep]) {
      expect(() => embeddingVectors(entry({}), output, 1), JSON.stringify(output)).toThrow(
        /without an embedding/,
      );
    }
    expect(() => embeddingVectors(entry({}), [[1], [2], [3]], 2)).toThrow(/3 embeddings for 2/);
  });

  it("writes floats as OpenAI's clients read them", () => {
    const bytes = Buffer.from(vectorBase64([1, -0.5]), "base64");
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([1, -0.5]);
  });
});

describe("images", () => {
  const prompt = "a lighthouse";
  const size = (properties: Readonly<Record<string, JsonSchema>>, wanted: string) =>
    imageInputs(entry({ prompt: text, ...properties }), { prompt, size: wanted })[0];

  it("gives the size in the way that the model takes it", () => {
    const side = { type: "integer" };
    expect(size({ width: side, height: side, size: text }, "640x480")).toEqual({
      prompt,
      width: 640,
      height: 480,
    });
    expect(size({ size: text, aspect_ratio: text }, "640x480")).toEqual({
      prompt,
      size: "640x480",
    });
    expect(size({ aspect_ratio: text }, "1792x1024")).toEqual({ prompt, aspect_ratio: "16:9" });
    const choices = { ...text, enum: ["1:1", "2:3", "3:2"] };
    expect(size({ aspect_ratio: choices }, "1024x1536")).toEqual({ prompt, aspect_ratio: "2:3" });
    expect(size({}, "auto")).toEqual({ prompt });
    expect(() => size({}, "640x480")).toThrow(/does not take size/);
    for (const wrong of ["0x0", "99999x1", "640", "x"]) expect(() => size({}, wrong)).toThrow();
  });

  it("makes one input per image where the model makes one, and refuses a second image that it cannot take", () => {
    const model = entry({ prompt: text, image: uri });
    expect(imageInputs(model, { prompt, n: 3 })).toHaveLength(3);
    expect(
      imageInputs(entry({ prompt: text, num_outputs: { type: "integer" } }), { prompt, n: "3" }),
    ).toEqual([{ prompt, num_outputs: 3 }]);
    expect(imageInputs(model, { prompt, images: ["data:,a"] })).toEqual([
      { prompt, image: "data:,a" },
    ]);
    expect(() => imageInputs(model, { prompt, images: ["data:,a", "data:,b"] })).toThrow(
      /more than one image/,
    );
    for (const n of [0, -1, 1.5, 11, "many", {}]) {
      expect(() => imageInputs(model, { prompt, n })).toThrow(/n must be/);
    }
  });
});

describe("files in an output", () => {
  const png = `data:image/png;base64,${Buffer.from("\x89PNG....", "latin1").toString("base64")}`;
  const types = (output: unknown, kind: "image" | "audio" = "image") =>
    outputFiles(entry({}), output, kind).map((file) =>
      "url" in file ? file.url : file.contentType,
    );

  it("are found as text, in lists and under any name, and told by their bytes", () => {
    expect(types(png)).toEqual(["image/png"]);
    expect(types([png, "https://files.example/a.png"])).toEqual([
      "image/png",
      "https://files.example/a.png",
    ]);
    expect(types({ data: [{ url: png }], seed: 7, note: "a note" })).toEqual(["image/png"]);
    const jpeg = Buffer.concat([Buffer.from("\xff\xd8\xff", "latin1"), Buffer.alloc(100)]);
    expect(types({ image: jpeg.toString("base64") })).toEqual(["image/jpeg"]);
    const untyped = `data:application/octet-stream;base64,${Buffer.from("ID3\x04").toString("base64")}`;
    expect(types({ audio: untyped, text: "hi" }, "audio")).toEqual(["audio/mpeg"]);
    expect(types({ audio: "data:audio/x-wav;base64,AAAA", preview: png }, "audio")).toEqual([
      "audio/wav",
    ]);
  });

  it("are not made up", () => {
    for (const output of [
      null,
      "done",
      7,
      {},
      [],
      { image: "no file" },
      { text: "data:text/plain,hi" },
    ]) {
      expect(() => types(output), JSON.stringify(output)).toThrow(/without an image/);
    }
  });
});

describe("speech", () => {
  const speak = (properties: Readonly<Record<string, JsonSchema>>, wishes: object) =>
    speechInput(entry(properties), { text: "hi", ...wishes });

  it("fills voice, speed and format under the model's names", () => {
    const model = {
      prompt: text,
      speaker_id: { type: "integer" },
      audio_format: text,
      rate: { type: "number" },
    };
    expect(speak(model, { voice: "3", format: "wav", speed: 1.5 })).toEqual({
      prompt: "hi",
      speaker_id: 3,
      audio_format: "wav",
      rate: 1.5,
    });
    expect(speak({ text, voice: text }, { voice: { id: "v_1" } })).toEqual({
      text: "hi",
      voice: "v_1",
    });
  });

  it("lets OpenAI's clients call a model with one voice, and refuses another voice", () => {
    expect(speak({ text }, { voice: "alloy", speed: 1 })).toEqual({ text: "hi" });
    expect(() => speak({ text }, { voice: "nova" })).toThrow(/does not take voice/);
    expect(() => speak({ text }, { format: "midi" })).toThrow(/response_format must be one of/);
  });
});

describe("transcripts", () => {
  const hear = (properties: Readonly<Record<string, JsonSchema>>, wishes: object = {}) =>
    transcriptionInput(entry(properties), {
      audio: "data:audio/wav;base64,AA==",
      isTranslation: false,
      timestamps: "none",
      ...wishes,
    });
  const audio = "data:audio/wav;base64,AA==";

  it("asks for times and for a translation in the model's own way", () => {
    expect(
      hear(
        { audio_file: uri, timestamp: { ...text, enum: ["chunk", "word"] } },
        { timestamps: "segment" },
      ),
    ).toEqual({
      audio_file: audio,
      timestamp: "chunk",
    });
    expect(
      hear({ audio: uri, return_timestamps: { type: "boolean" } }, { timestamps: "word" }),
    ).toEqual({
      audio,
      return_timestamps: true,
    });
    const task = { ...text, enum: ["transcribe", "translate"] };
    expect(hear({ audio: uri, task }, { isTranslation: true })).toEqual({
      audio,
      task: "translate",
    });
    expect(() => hear({ audio: uri }, { isTranslation: true })).toThrow(/does not translate/);
    expect(() => hear({ audio: uri }, { language: "de" })).toThrow(/does not take language/);
  });

  it("are read from text, segments, chunks or words alone", () => {
    const read = (output: unknown) => readTranscript(entry({}), output);
    expect(read("Hello.")).toMatchObject({ text: "Hello.", segments: [], words: [] });
    expect(read({ text: "Hi", chunks: [{ text: " Hi", timestamp: [0, 1.5] }] })).toMatchObject({
      text: "Hi",
      duration: 1.5,
      segments: [{ start: 0, end: 1.5 }],
    });
    expect(
      read([
        { start: 0, end: 1, text: " A" },
        { start: 1, end: 2, text: " B" },
      ]).text,
    ).toBe("A B");
    const words = ["One.", "Two", "three."].map((word, index) => ({
      word,
      start: index,
      end: index + 1,
    }));
    expect(read({ transcription: "One. Two three.", words }).segments).toMatchObject([
      { text: "One.", start: 0, end: 1 },
      { text: "Two three.", start: 1, end: 3 },
    ]);
    expect(() => read({ confidence: 1 })).toThrow(/without a text/);
  });

  it("become subtitles whose texts cannot break their form", () => {
    const segments = [{ start: 3661.5, end: 3662.0004, text: " a\n\nb --> c ", facts: {} }];
    expect(renderSrt(segments)).toBe("1\n01:01:01,500 --> 01:01:02,000\na\nb --> c\n\n");
    expect(renderVtt(segments)).toBe("WEBVTT\n\n01:01:01.500 --> 01:01:02.000\na\nb -> c\n\n");
  });
});

describe("the catalog", () => {
  it("names the calls that a model takes, and none that would be refused", () => {
    const formats = (task: CatalogEntry["task"], name: string) =>
      mediaFormats(entry({ [name]: text }, { task }));
    expect(formats("text-embeddings", "texts")).toEqual(["embeddings"]);
    expect(formats("text-to-image", "prompt")).toEqual(["images"]);
    expect(formats("text-to-speech", "text")).toEqual(["speech"]);
    expect(formats("automatic-speech-recognition", "audio")).toEqual(["transcriptions"]);
    expect(formats("text-embeddings", "number")).toEqual([]);
    expect(formats("image-to-image", "prompt")).toEqual([]);
    expect(formats("other", "prompt")).toEqual([]);
    expect(mediaFormats(chatModel)).toEqual([]);
  });
});

describe("third parties' models", () => {
  it("get what their standard schema takes", () => {
    const model = (task: CatalogEntry["task"]): CatalogEntry => ({
      ...chatModel,
      task,
      ...standardShape(task),
    });
    const checked = (
      task: CatalogEntry["task"],
      inputs: readonly Readonly<Record<string, unknown>>[],
    ) => inputs.flatMap((input) => validateInput(model(task).inputSchema, input));
    const image = {
      prompt: "x",
      n: 2,
      size: "1024x1024",
      quality: "high",
      style: "vivid",
      background: "transparent",
      outputFormat: "webp",
    };
    expect(checked("text-to-image", imageInputs(model("text-to-image"), image))).toEqual([]);
    const edit = { ...image, images: ["data:,a", "data:,b"], mask: "data:,m" };
    expect(checked("image-to-image", imageInputs(model("image-to-image"), edit))).toEqual([]);
    const speech = { text: "x", voice: "nova", format: "mp3", speed: 2, instructions: "slowly" };
    expect(checked("text-to-speech", [speechInput(model("text-to-speech"), speech)])).toEqual([]);
    const sound = {
      audio: "data:,a",
      isTranslation: false,
      language: "en",
      prompt: "names",
      temperature: "0.5",
      timestamps: "word",
    } as const;
    const heard = transcriptionInput(model("automatic-speech-recognition"), sound);
    expect(checked("automatic-speech-recognition", [heard])).toEqual([]);
    expect(heard).toMatchObject({ temperature: 0.5, timestamps: "word" });
    const { inputs } = embeddingCalls(model("text-embeddings"), { input: "x", dimensions: 8 });
    expect(checked("text-embeddings", inputs)).toEqual([]);
    expect(inputs).toEqual([{ input: ["x"], dimensions: 8 }]);
  });
});
