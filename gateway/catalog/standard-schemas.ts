import type { CatalogEntry, JsonSchema, Modality, RequestFormat, Task } from "./entry.ts";

/**
 * The input and output of third parties' models, one shape a task: what an adapter gets and what a caller may send.
 * The names are OpenAI's where it has one, else those that most Cog models use.
 */
export interface TaskShape {
  readonly inputSchema: JsonSchema;
  readonly outputSchema: JsonSchema;
  readonly isStreaming: boolean;
  readonly requestFormats: readonly RequestFormat[];
  readonly modalities: NonNullable<CatalogEntry["modalities"]>;
}

const text = { type: "string" } as const;
const uri = { type: "string", format: "uri" } as const;
const count = { type: "integer", minimum: 1 } as const;
const share = { type: "number", minimum: 0 } as const;

const object = (properties: JsonSchema, required: readonly string[] = []): JsonSchema => ({
  type: "object",
  properties,
  ...(required.length === 0 ? {} : { required }),
});
const shape = (
  input: readonly Modality[],
  output: readonly Modality[],
  facts: Omit<TaskShape, "modalities" | "isStreaming"> & { readonly isStreaming?: boolean },
): TaskShape => ({ isStreaming: false, ...facts, modalities: { input, output } });

/** Text in pieces, as Cog's `ConcatenateIterator[str]`; `chat/chunk.ts` says which pieces are no text. */
const textPieces: JsonSchema = {
  type: "array",
  items: {},
  "x-cog-array-type": "iterator",
  "x-cog-array-display": "concatenate",
};

const chatInput = object({
  messages: { type: "array", items: { type: "object" }, description: "As OpenAI's chat" },
  prompt: { ...text, description: "Instead of messages: one user message" },
  system_prompt: text,
  max_tokens: count,
  temperature: share,
  top_p: share,
  top_k: count,
  frequency_penalty: { type: "number" },
  presence_penalty: { type: "number" },
  seed: { type: "integer" },
  stop: { type: "array", items: text },
  tools: { type: "array", items: { type: "object" }, description: "As OpenAI's chat" },
  tool_choice: { description: "auto, none, required, or one function" },
  parallel_tool_calls: { type: "boolean" },
  response_format: { type: "object", description: "text, json_object or json_schema" },
  reasoning_effort: text,
});

const videoInput = {
  prompt: text,
  negative_prompt: text,
  duration: { type: "number", description: "Seconds" },
  resolution: { ...text, description: "Such as 720p" },
  aspect_ratio: { ...text, description: "Such as 16:9" },
  size: { ...text, description: "Such as 1280x720" },
  fps: count,
  seed: { type: "integer" },
  audio: { type: "boolean", description: "With sound" },
};

const imageInput = {
  prompt: text,
  negative_prompt: text,
  n: count,
  size: { ...text, description: "Such as 1024x1024" },
  aspect_ratio: text,
  quality: text,
  style: text,
  background: text,
  output_format: { ...text, description: "png, jpeg or webp" },
  seed: { type: "integer" },
  steps: count,
  guidance: { type: "number" },
};

const shapes: Readonly<Record<Task, TaskShape>> = {
  "text-generation": shape(["text"], ["text"], {
    inputSchema: chatInput,
    outputSchema: textPieces,
    isStreaming: true,
    requestFormats: ["predictions", "chat-completions", "completions", "responses", "messages"],
  }),
  "text-embeddings": shape(["text"], [], {
    inputSchema: object(
      { input: { type: "array", items: text }, dimensions: count, input_type: text },
      ["input"],
    ),
    outputSchema: { type: "array", items: { type: "array", items: { type: "number" } } },
    requestFormats: ["predictions", "embeddings"],
  }),
  "text-to-image": shape(["text"], ["image"], {
    inputSchema: object(imageInput, ["prompt"]),
    outputSchema: { type: "array", items: uri },
    requestFormats: ["predictions", "images"],
  }),
  "image-to-image": shape(["text", "image"], ["image"], {
    inputSchema: object(
      { ...imageInput, image: { type: "array", items: uri }, mask: uri, strength: share },
      ["image"],
    ),
    outputSchema: { type: "array", items: uri },
    requestFormats: ["predictions", "images"],
  }),
  "image-to-text": shape(["text", "image"], ["text"], {
    inputSchema: object({ image: uri, prompt: text, max_tokens: count }, ["image"]),
    outputSchema: text,
    requestFormats: ["predictions"],
  }),
  "text-to-speech": shape(["text"], ["audio"], {
    inputSchema: object(
      {
        text,
        voice: text,
        format: { ...text, description: "Such as mp3 or wav" },
        speed: share,
        language: text,
        instructions: text,
        sample_rate: count,
      },
      ["text"],
    ),
    outputSchema: uri,
    requestFormats: ["predictions", "speech"],
  }),
  "automatic-speech-recognition": shape(["audio"], ["text"], {
    inputSchema: object(
      {
        audio: uri,
        language: text,
        prompt: text,
        temperature: share,
        timestamps: { ...text, description: "none, segment or word" },
      },
      ["audio"],
    ),
    outputSchema: object({
      text,
      language: text,
      duration: { type: "number", description: "Seconds" },
      segments: { type: "array", items: { type: "object" } },
      words: { type: "array", items: { type: "object" } },
    }),
    requestFormats: ["predictions", "transcriptions"],
  }),
  "text-to-video": shape(["text"], ["video"], {
    inputSchema: object(videoInput, ["prompt"]),
    outputSchema: { type: "array", items: uri },
    requestFormats: ["predictions"],
  }),
  "image-to-video": shape(["text", "image"], ["video"], {
    inputSchema: object({ ...videoInput, image: uri, last_image: uri }, ["image"]),
    outputSchema: { type: "array", items: uri },
    requestFormats: ["predictions"],
  }),
  other: shape([], [], {
    inputSchema: object({}),
    outputSchema: {},
    requestFormats: ["predictions"],
  }),
};

/** The shape of a task for a third party's model; own models have their own schemas. */
export function standardShape(task: Task): TaskShape {
  return shapes[task];
}
