import { z } from "zod";

import {
  fail,
  json,
  sse,
  startProviderDouble,
  type DoubleAnswer,
  type DoubleRequest,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";

// Replicate's HTTP API as npm replicate 1.4.0 and its OpenAPI document (2026-08) have it.

const llamaInput = z.strictObject({
  prompt: z.string(),
  system_prompt: z.string().optional(),
  max_tokens: z.int().optional(),
  temperature: z.number().optional(),
  top_p: z.number().optional(),
  stop_sequences: z.string().optional(),
});

const fluxInput = z.strictObject({
  prompt: z.string(),
  num_outputs: z.int().min(1).max(4).optional(),
  num_inference_steps: z.int().optional(),
  aspect_ratio: z.string().optional(),
  seed: z.int().optional(),
  output_format: z.string().optional(),
});

interface Model {
  readonly input: z.ZodType;
  /** As the model's OpenAPI document shows its inputs. */
  readonly properties: Readonly<Record<string, { readonly type: string }>>;
  readonly output: unknown;
}

const text = { type: "string" } as const;
const count = { type: "integer" } as const;

const models: Readonly<Record<string, Model>> = {
  "meta/meta-llama-3-8b-instruct": {
    input: llamaInput,
    properties: {
      prompt: text,
      system_prompt: text,
      max_tokens: count,
      temperature: { type: "number" },
      top_p: { type: "number" },
      stop_sequences: text,
    },
    output: ["Hel", "lo"],
  },
  "black-forest-labs/flux-schnell": {
    input: fluxInput,
    properties: {
      prompt: text,
      num_outputs: count,
      num_inference_steps: count,
      aspect_ratio: text,
      seed: count,
      output_format: text,
    },
    output: ["https://replicate.delivery/a.webp"],
  },
  "acme/painter": {
    input: z.strictObject({ prompt: z.string(), input_image: z.string().optional() }),
    properties: { prompt: text, input_image: text },
    output: "https://replicate.delivery/b.png",
  },
  "acme/voice": {
    input: z.strictObject({ prompt: z.string(), voice_id: z.string().optional() }),
    properties: { prompt: text, voice_id: text },
    output: "https://replicate.delivery/c.mp3",
  },
  "acme/whisper": {
    input: z.strictObject({ audio_file: z.string() }),
    properties: { audio_file: text },
    output: { transcription: "hello", detected_language: "en", segments: [] },
  },
};

export const replicateKey = "r8_test1234567890";
export const version: string = "0123456789abcdef".repeat(4);

export function replicateError(
  status: number,
  title: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): DoubleAnswer {
  return fail(status, { title, detail, status }, headers);
}

export interface ReplicateDouble extends ProviderDouble {
  /** Predictions that were canceled, by id. */
  readonly canceled: readonly string[];
}

/** A double of api.replicate.com/v1. Predictions end at the second look, or at once when they are waited for. */
export async function startReplicateDouble(): Promise<ReplicateDouble> {
  const canceled: string[] = [];
  const predictions = new Map<string, { looks: number; readonly output: unknown }>();
  const describe = (double: ProviderDouble, id: string, status: string): object => {
    const { output } = predictions.get(id) ?? {};
    return {
      id,
      status,
      model: "m",
      version: "v",
      input: {},
      output: status === "succeeded" ? output : null,
      error: null,
      logs: "",
      metrics:
        status === "succeeded"
          ? { predict_time: 1.5, input_token_count: 6, output_token_count: 2 }
          : {},
      urls: {
        get: `${double.baseUrl}/predictions/${id}`,
        cancel: `${double.baseUrl}/predictions/${id}/cancel`,
        stream: `${double.origin}/stream/${id}`,
      },
    };
  };
  const create = (
    double: ProviderDouble,
    { body, headers }: DoubleRequest,
    name: string,
  ): DoubleAnswer => {
    const model = models[name];
    if (model === undefined) return replicateError(404, "Not found", "The model does not exist");
    const checked = model.input.safeParse((body as { readonly input: unknown }).input);
    if (!checked.success) throw new Error(`${name}: ${z.prettifyError(checked.error)}`);
    const id = `p${predictions.size + 1}`;
    predictions.set(id, { looks: 0, output: model.output });
    const isAwaited = headers["prefer"] !== undefined;
    return json(describe(double, id, isAwaited ? "succeeded" : "starting"), { status: 201 });
  };
  const prefer = z.looseObject({
    prefer: z
      .string()
      .regex(/^wait(=\d{1,2})?$/)
      .optional(),
  });
  const input = z.looseObject({});
  const double = await startProviderDouble({
    key: { authorization: `Bearer ${replicateKey}` },
    refuse: ({ status, message }) => replicateError(status, "Invalid request", message),
    routes: (self) => [
      {
        method: "POST",
        path: "/v1/models/{owner}/{name}/predictions",
        headers: prefer,
        body: z.strictObject({ input }),
        answer: (request) =>
          create(self, request, `${request.params["owner"]}/${request.params["name"]}`),
      },
      {
        method: "POST",
        path: "/v1/predictions",
        headers: prefer,
        body: z.strictObject({ version: z.literal(version), input }),
        answer: (request) => create(self, request, "black-forest-labs/flux-schnell"),
      },
      {
        method: "GET",
        path: "/v1/models/{owner}/{name}",
        answer: ({ params }) => modelPage(`${params["owner"]}/${params["name"]}`),
      },
      {
        method: "GET",
        path: "/v1/predictions/{id}",
        answer: ({ params }) => {
          const id = params["id"] ?? "";
          const prediction = predictions.get(id);
          if (prediction === undefined) return replicateError(404, "Not found", "Not found");
          prediction.looks += 1;
          return json(describe(self, id, prediction.looks < 2 ? "processing" : "succeeded"));
        },
      },
      {
        method: "POST",
        path: "/v1/predictions/{id}/cancel",
        answer: ({ params }) => {
          canceled.push(params["id"] ?? "");
          return json(describe(self, params["id"] ?? "", "canceled"));
        },
      },
      {
        method: "GET",
        path: "/stream/{id}",
        // The URL itself is the key: replicate-js sends none there.
        isOpen: true,
        headers: z.looseObject({ accept: z.literal("text/event-stream") }),
        answer: ({ params }) => {
          const prediction = predictions.get(params["id"] ?? "");
          if (prediction !== undefined) prediction.looks = 2;
          return sse(replicateFrames);
        },
      },
    ],
  });
  return Object.assign(double, { canceled });
}

export const replicateFrames: readonly string[] = [
  ": hello\n\n",
  "event: output\nid: 1:0\ndata: Hel\n\n",
  "event: output\nid: 2:0\ndata: lo\ndata: you\n\n",
  "event: done\nid: 3:0\ndata: {}\n\n",
];

function modelPage(name: string): DoubleAnswer {
  const model = models[name];
  if (model === undefined) return replicateError(404, "Not found", "The model does not exist");
  const schemas = { Input: { type: "object", properties: model.properties } };
  return json({
    name,
    latest_version: { id: version, openapi_schema: { components: { schemas } } },
  });
}
