import { z } from "zod";

import {
  bytes,
  fail,
  json,
  sse,
  startProviderDouble,
  type DoubleAnswer,
  type DoubleRequest,
  type DoubleRoute,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";

// OpenAI's API as the types of npm openai 7.57.0 (2026-11-23) have it; what they do not name is refused.

const contentPart = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text: z.string() }),
  z.strictObject({
    type: z.literal("image_url"),
    image_url: z.strictObject({
      url: z.string(),
      detail: z.enum(["auto", "low", "high"]).optional(),
    }),
  }),
]);

const message = z.discriminatedUnion("role", [
  z.strictObject({
    role: z.enum(["system", "developer", "user"]),
    content: z.union([z.string(), z.array(contentPart).min(1)]),
    name: z.string().optional(),
  }),
  z.strictObject({
    role: z.literal("assistant"),
    content: z.string().nullable().optional(),
    tool_calls: z
      .array(
        z.strictObject({
          id: z.string(),
          type: z.literal("function"),
          function: z.strictObject({ name: z.string(), arguments: z.string() }),
        }),
      )
      .optional(),
  }),
  z.strictObject({ role: z.literal("tool"), content: z.string(), tool_call_id: z.string() }),
]);

const openAiTool = z.strictObject({
  type: z.literal("function"),
  function: z.strictObject({
    name: z.string().regex(/^[\w-]{1,64}$/),
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).optional(),
    strict: z.boolean().nullable().optional(),
  }),
});

const toolChoice = z.union([
  z.enum(["none", "auto", "required"]),
  z.strictObject({
    type: z.literal("function"),
    function: z.strictObject({ name: z.string() }),
  }),
]);

const responseFormat = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text") }),
  z.strictObject({ type: z.literal("json_object") }),
  z.strictObject({
    type: z.literal("json_schema"),
    json_schema: z.strictObject({
      name: z.string(),
      description: z.string().optional(),
      schema: z.record(z.string(), z.unknown()).optional(),
      strict: z.boolean().nullable().optional(),
    }),
  }),
]);

const openAiChatFields = {
  model: z.string(),
  messages: z.array(message).min(1),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  frequency_penalty: z.number().optional(),
  presence_penalty: z.number().optional(),
  seed: z.int().optional(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).optional(),
  tools: z.array(openAiTool).optional(),
  tool_choice: toolChoice.optional(),
  parallel_tool_calls: z.boolean().optional(),
  response_format: responseFormat.optional(),
  reasoning_effort: z.enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"]).optional(),
  stream: z.boolean().optional(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).optional(),
};

const chat = z.strictObject({
  ...openAiChatFields,
  max_completion_tokens: z.int().min(1).optional(),
});

/** As vLLM's server takes it: the older name of the bound, and sampling beyond OpenAI's. */
const compatibleChat = z.strictObject({
  ...openAiChatFields,
  max_tokens: z.int().min(1).optional(),
  top_k: z.int().optional(),
});

const completion = z.strictObject({
  model: z.string(),
  prompt: z.string(),
  max_tokens: z.int().min(1).optional(),
  temperature: z.number().optional(),
  top_p: z.number().optional(),
  frequency_penalty: z.number().optional(),
  presence_penalty: z.number().optional(),
  seed: z.int().optional(),
  stop: z.union([z.string(), z.array(z.string())]).optional(),
  stream: z.boolean().optional(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).optional(),
});

const embeddings = z.strictObject({
  model: z.string(),
  input: z.union([z.string(), z.array(z.string()).min(1).max(2048)]),
  dimensions: z.int().min(1).optional(),
  encoding_format: z.enum(["float", "base64"]).optional(),
});

const images = z.strictObject({
  model: z.string(),
  prompt: z.string(),
  n: z.int().min(1).max(10).optional(),
  size: z.string().optional(),
  quality: z.enum(["low", "medium", "high", "auto", "standard", "hd"]).optional(),
  style: z.enum(["vivid", "natural"]).optional(),
  background: z.enum(["transparent", "opaque", "auto"]).optional(),
  output_format: z.enum(["png", "jpeg", "webp"]).optional(),
});

const file = z.strictObject({
  fileName: z.string().min(1),
  contentType: z.string(),
  bytes: z.instanceof(Buffer),
});

const imageEdit = z.strictObject({
  model: z.string(),
  prompt: z.string(),
  image: file.optional(),
  "image[]": z.array(file).min(2).optional(),
  mask: file.optional(),
  n: z.string().optional(),
  size: z.string().optional(),
  quality: z.string().optional(),
});

const speech = z.strictObject({
  model: z.string(),
  input: z.string().max(4096),
  voice: z.string(),
  instructions: z.string().optional(),
  response_format: z.enum(["mp3", "opus", "aac", "flac", "wav", "pcm"]).optional(),
  speed: z.number().min(0.25).max(4).optional(),
});

const transcription = z.strictObject({
  file: file.refine(
    ({ fileName }) => /\.(flac|mp3|mp4|mpeg|mpga|m4a|ogg|wav|webm)$/.test(fileName),
    {
      message: "a file name whose extension names a format of sound",
    },
  ),
  model: z.string(),
  language: z.string().optional(),
  prompt: z.string().optional(),
  temperature: z.string().optional(),
  response_format: z.enum(["json", "verbose_json"]).optional(),
  "timestamp_granularities[]": z.enum(["word", "segment"]).optional(),
});

const video = z.strictObject({
  model: z.string(),
  prompt: z.string(),
  seconds: z.enum(["4", "8", "12"]).optional(),
  size: z.enum(["720x1280", "1280x720", "1024x1792", "1792x1024"]).optional(),
  input_reference: file.optional(),
});

/** How OpenAI's double answers when nothing else was planned. */
export const openAiKey = "sk-openai-test-1234567890";

export function openAiError(status: number, message: string, extra: object = {}): DoubleAnswer {
  return fail(status, {
    error: { message, type: "invalid_request_error", param: null, code: null, ...extra },
  });
}

/** A double of api.openai.com/v1, or of a server that is compatible with it. */
export function startOpenAiDouble(
  kind: "openai" | "compatible" = "openai",
): Promise<ProviderDouble> {
  const videos = new Map<string, number>();
  return startProviderDouble({
    basePath: "/v1",
    key: { authorization: `Bearer ${openAiKey}` },
    refuse: ({ status, message: text }) => openAiError(status, text),
    routes: [
      {
        method: "POST",
        path: "/chat/completions",
        body: kind === "openai" ? chat : compatibleChat,
        answer: answerChat,
      },
      {
        method: "POST",
        path: "/completions",
        body: completion,
        answer: () => sse(completionFrames),
      },
      { method: "POST", path: "/embeddings", body: embeddings, answer: answerEmbeddings },
      {
        method: "POST",
        path: "/images/generations",
        body: kind === "openai" ? images : images.extend({ steps: z.int(), seed: z.int() }),
        answer: () => json({ created: 1, data: [{ b64_json: "AAEC" }], usage: imageUsage }),
      },
      {
        method: "POST",
        path: "/images/edits",
        body: imageEdit,
        answer: () => json({ created: 1, data: [{ b64_json: "AAED" }], output_format: "webp" }),
      },
      {
        method: "POST",
        path: "/audio/speech",
        body: speech,
        answer: () => bytes(Buffer.from("ID3sound"), "audio/mpeg"),
      },
      {
        method: "POST",
        path: "/audio/transcriptions",
        body: transcription,
        answer: answerTranscription,
      },
      ...videoRoutes(videos),
    ],
  });
}

export function chatChunk(delta: object, extra: object = {}): object {
  return {
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1,
    model: "gpt-5",
    choices: [{ index: 0, delta, finish_reason: null, ...extra }],
  };
}

export const chatUsage = {
  prompt_tokens: 9,
  completion_tokens: 4,
  total_tokens: 13,
  prompt_tokens_details: { cached_tokens: 3 },
  completion_tokens_details: { reasoning_tokens: 1 },
};

/** A stream with a comment in it, as proxies send them, and the usage after the last choice. */
export const chatFrames: readonly unknown[] = [
  chatChunk({ role: "assistant", content: "", refusal: null }),
  ": keep-alive\n\n",
  chatChunk({ content: "Hel" }),
  chatChunk({ content: "lo" }),
  chatChunk({}, { finish_reason: "stop" }),
  { ...chatChunk({}), choices: [], usage: chatUsage },
  "data: [DONE]\n\n",
];

function answerChat({ body }: DoubleRequest): DoubleAnswer {
  const { stream, stream_options: options } = body as z.infer<typeof chat>;
  if (stream === true) {
    const hasUsage = options?.include_usage === true;
    return sse(chatFrames.filter((_frame, index) => hasUsage || index !== 5));
  }
  return json({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1,
    model: "gpt-5",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "Hello", refusal: null },
        finish_reason: "stop",
      },
    ],
    usage: chatUsage,
  });
}

const completionFrames: readonly unknown[] = [
  { object: "text_completion", choices: [{ index: 0, text: " upon", finish_reason: null }] },
  { object: "text_completion", choices: [{ index: 0, text: " a time", finish_reason: "length" }] },
  { object: "text_completion", choices: [], usage: chatUsage },
  "data: [DONE]\n\n",
];

function answerEmbeddings({ body }: DoubleRequest): DoubleAnswer {
  const { input } = body as z.infer<typeof embeddings>;
  const texts = typeof input === "string" ? [input] : input;
  const data = texts.map((text, index) => ({
    object: "embedding",
    index,
    embedding: [text.length, index],
  }));
  const usage = { prompt_tokens: 5, total_tokens: 5 };
  // The order of the answer is not promised; `index` is.
  return json({ object: "list", data: data.toReversed(), model: "m", usage });
}

const imageUsage = {
  input_tokens: 11,
  output_tokens: 272,
  total_tokens: 283,
  input_tokens_details: { text_tokens: 11, image_tokens: 0 },
};

function answerTranscription({ body }: DoubleRequest): DoubleAnswer {
  const asked = body as z.infer<typeof transcription>;
  if (asked.response_format !== "verbose_json") {
    return json({ text: "hello world", usage: { type: "duration", seconds: 2 } });
  }
  return json({
    task: "transcribe",
    language: "english",
    duration: 1.5,
    text: "hello world",
    words: [
      { word: "hello", start: 0, end: 0.5 },
      { word: "world", start: 0.6, end: 1.1 },
    ],
  });
}

function videoRoutes(videos: Map<string, number>): readonly DoubleRoute[] {
  const describe = (id: string, status: string): DoubleAnswer =>
    json({ id, object: "video", model: "sora-2", status, progress: 0, seconds: "8", error: null });
  return [
    {
      method: "POST",
      path: "/videos",
      body: video,
      answer: () => {
        videos.set("video_1", 0);
        return describe("video_1", "queued");
      },
    },
    {
      method: "GET",
      path: "/videos/{id}",
      answer: ({ params }) => {
        const looks = (videos.get(params["id"] ?? "") ?? 0) + 1;
        videos.set(params["id"] ?? "", looks);
        return describe(params["id"] ?? "", looks < 3 ? "in_progress" : "completed");
      },
    },
    {
      method: "GET",
      path: "/videos/{id}/content",
      answer: () => bytes(Buffer.from("film"), "video/mp4"),
    },
    {
      method: "DELETE",
      path: "/videos/{id}",
      answer: ({ params }) => json({ id: params["id"], object: "video.deleted", deleted: true }),
    },
  ];
}
