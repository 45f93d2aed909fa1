import { z } from "zod";

import {
  bytes,
  fail,
  json,
  sse,
  startProviderDouble,
  type DoubleAnswer,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";

// Workers AI's `run` with the input schemas of cloudflare-docs src/content/workers-ai-models (2026-09-23).

const message = z.strictObject({
  role: z.enum(["system", "user", "assistant", "tool"]),
  content: z.union([z.string(), z.array(z.looseObject({ type: z.enum(["text", "image_url"]) }))]),
  tool_call_id: z.string().optional(),
  tool_calls: z.array(z.looseObject({})).optional(),
});

const chat = z.strictObject({
  messages: z.array(message).min(1),
  stream: z.boolean().optional(),
  stream_options: z.strictObject({ include_usage: z.boolean() }).optional(),
  max_tokens: z.int().optional(),
  temperature: z.number().min(0).max(5).optional(),
  top_p: z.number().optional(),
  top_k: z.int().optional(),
  seed: z.int().optional(),
  tools: z.array(z.looseObject({})).optional(),
  tool_choice: z.unknown().optional(),
  response_format: z.looseObject({ type: z.enum(["json_object", "json_schema"]) }).optional(),
});

const schemas: Readonly<Record<string, z.ZodType>> = {
  "@cf/meta/llama-3.3-70b-instruct-fp8-fast": chat,
  "@cf/moonshotai/kimi-k2.5": chat,
  "@cf/baai/bge-m3": z.strictObject({ text: z.array(z.string()).min(1).max(100) }),
  "@cf/black-forest-labs/flux-1-schnell": z.strictObject({
    prompt: z.string().min(1).max(2048),
    steps: z.int().max(8).optional(),
  }),
  "@cf/leonardo/phoenix-1.0": z.strictObject({
    prompt: z.string(),
    guidance: z.number().min(2).max(10).optional(),
    width: z.int().optional(),
    height: z.int().optional(),
    num_steps: z.int().optional(),
    seed: z.int().optional(),
    negative_prompt: z.string().optional(),
  }),
  "@cf/deepgram/aura-2-en": z.strictObject({
    text: z.string(),
    speaker: z.string().optional(),
    encoding: z.enum(["linear16", "flac", "mulaw", "alaw", "mp3", "opus", "aac"]).optional(),
    container: z.enum(["none", "wav", "ogg"]).optional(),
    sample_rate: z.number().optional(),
  }),
  "@cf/myshell-ai/melotts": z.strictObject({ prompt: z.string(), lang: z.string().optional() }),
  "@cf/openai/whisper-large-v3-turbo": z.strictObject({
    audio: z.base64(),
    language: z.string().optional(),
    initial_prompt: z.string().optional(),
  }),
  "@cf/openai/whisper": z.instanceof(Buffer),
  "@cf/llava-hf/llava-1.5-7b-hf": z.strictObject({
    image: z.array(z.int().min(0).max(255)).min(1),
    prompt: z.string().optional(),
    max_tokens: z.int().optional(),
  }),
};

export const workersAiKey = "cf-token-1234567890";

export function cloudflareError(status: number, code: number, text: string): DoubleAnswer {
  return fail(status, {
    result: null,
    success: false,
    errors: [{ code, message: text }],
    messages: [],
  });
}

export function envelope(result: unknown): DoubleAnswer {
  return json({ result, success: true, errors: [], messages: [] });
}

/** A double of api.cloudflare.com for one account. */
export function startWorkersAiDouble(): Promise<ProviderDouble> {
  return startProviderDouble({
    basePath: "/client/v4/accounts/acc1/ai",
    key: { authorization: `Bearer ${workersAiKey}` },
    refuse: ({ status, message: text }) => cloudflareError(status, 5006, text),
    routes: [
      {
        // OpenAI's shape beside its own, for the models that chat.
        method: "POST",
        path: "/v1/chat/completions",
        body: chat.extend({ model: z.enum(["@cf/moonshotai/kimi-k2.5"]) }),
        answer: ({ body }) => {
          const { model, stream } = body as { readonly model: string; readonly stream?: boolean };
          return stream === true
            ? (answers[model]?.(body) ?? cloudflareError(400, 5007, `No such model ${model}`))
            : json({ ...wholeCompletion, model });
        },
      },
      {
        method: "POST",
        path: "/run/@cf/{author}/{model}",
        body: z.unknown(),
        answer: ({ params, body }) => answerRun(`@cf/${params["author"]}/${params["model"]}`, body),
      },
      {
        // As Cloudflare's own SDK writes it: the slashes of the name escaped.
        method: "POST",
        path: "/run/{model}",
        body: z.unknown(),
        answer: ({ params, body }) => answerRun(params["model"] ?? "", body),
      },
    ],
  });
}

function answerRun(model: string, body: unknown): DoubleAnswer {
  const schema = schemas[model];
  if (schema === undefined) return cloudflareError(400, 5007, `No such model ${model}`);
  const checked = schema.safeParse(body);
  if (!checked.success) throw new Error(`${model}: ${z.prettifyError(checked.error)}`);
  return answers[model]?.(body) ?? cloudflareError(500, 3001, "no answer planned");
}

export const legacyFrames: readonly unknown[] = [
  { response: "Hel", p: "abcdef" },
  { response: "lo", p: "abc" },
  { response: "", usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 } },
  "data: [DONE]\n\n",
];

const completionUsage = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 };

function completionChunk(delta: object, finish: string | null = null): object {
  return {
    id: "c1",
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta, finish_reason: finish }],
  };
}

const wholeCompletion = {
  choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
  usage: completionUsage,
};

const answers: Readonly<Record<string, (body: unknown) => DoubleAnswer>> = {
  "@cf/meta/llama-3.3-70b-instruct-fp8-fast": (body) =>
    (body as z.infer<typeof chat>).stream === true
      ? sse(legacyFrames)
      : envelope({ response: "Hello", usage: { prompt_tokens: 7, completion_tokens: 2 } }),
  "@cf/moonshotai/kimi-k2.5": (body) =>
    (body as z.infer<typeof chat>).stream === true
      ? sse([
          completionChunk({ role: "assistant", reasoning_content: "hm" }),
          completionChunk({ content: "Hello" }),
          completionChunk({}, "stop"),
          { id: "c1", choices: [], usage: completionUsage },
          "data: [DONE]\n\n",
        ])
      : envelope(wholeCompletion),
  "@cf/baai/bge-m3": (body) => {
    const { text } = body as { readonly text: readonly string[] };
    return envelope({ shape: [text.length, 1], data: text.map((item) => [item.length]) });
  },
  "@cf/black-forest-labs/flux-1-schnell": () => envelope({ image: "/9j/AAEC" }),
  "@cf/leonardo/phoenix-1.0": () => bytes(Buffer.from([1, 2]), "image/jpeg"),
  "@cf/deepgram/aura-2-en": () => bytes(Buffer.from("mp3"), "audio/mpeg"),
  "@cf/myshell-ai/melotts": () => envelope({ audio: "AAEC" }),
  "@cf/openai/whisper-large-v3-turbo": () =>
    envelope({
      text: "hello world",
      word_count: 2,
      transcription_info: { language: "en", duration: 1.5 },
      segments: [{ start: 0, end: 1.5, text: "hello world", words: [{ word: "hello" }] }],
    }),
  "@cf/openai/whisper": () => envelope({ text: "hi", words: [{ word: "hi", start: 0, end: 1 }] }),
  "@cf/llava-hf/llava-1.5-7b-hf": () => envelope({ description: "a cat" }),
};
