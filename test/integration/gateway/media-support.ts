import OpenAI from "openai";

import type { CatalogEntry } from "../../../gateway/index.ts";
import type { FakePrediction, Play } from "../../unit/gateway/fake-coglet.ts";
import { callKey, chatModel, type Harness } from "../../unit/gateway/harness.ts";

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
/** Own models of every kind that makes or reads media. */
export const models: readonly CatalogEntry[] = [
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

export const png: Buffer = Buffer.concat([
  Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
  Buffer.alloc(40, 7),
]);
export const png2: Buffer = Buffer.concat([
  Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
  Buffer.alloc(40, 9),
]);
export const wav: Buffer = Buffer.concat([
  Buffer.from("RIFF0000WAVE", "latin1"),
  Buffer.alloc(64, 3),
]);
export const dataUri = (type: string, bytes: Buffer): string =>
  `data:${type};base64,${bytes.toString("base64")}`;

/** OpenAI's own client, pointed at a gateway. */
export const client = ({ url }: Harness): OpenAI =>
  new OpenAI({ apiKey: callKey, baseURL: `${url}/v1`, maxRetries: 0 });

/** A model that answers at once. */
export const give =
  (output: unknown, metrics: object = { predict_time: 0.1 }): Play =>
  (prediction) =>
    prediction.complete({ output, metrics });

export const failing: Play = (prediction) =>
  prediction.complete({ status: "failed", error: "out of paint", output: null });

/** What the models were asked. */
export const inputs = ({ coglet }: Harness): readonly FakePrediction["input"][] =>
  coglet.predictions.map(({ input }) => input);
