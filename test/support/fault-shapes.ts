// What a healthy upstream says, frame by frame and whole, in the four shapes that a fault can strike.

export type ShapeName = "openai" | "anthropic" | "responses" | "cog";

export interface Shape {
  /** Before the first piece of text. */
  readonly opening: readonly string[];
  readonly piece: (text: string, index: number) => string;
  /** After the last piece, the end marker included. */
  readonly ending: (pieces: readonly string[]) => readonly string[];
  /** An event whose JSON breaks off. */
  readonly malformed: string;
  /** A failure that comes as an event of a stream that began with 200. */
  readonly failed: string;
  readonly whole: (pieces: readonly string[]) => string;
  /** A failure as the whole body of a 200. */
  readonly wholeFailed: string;
  readonly errorBody: (status: number) => string;
}

/** Tokens of every request, as the upstream counts them. */
export const inputTokens = 11;

export const failureText = "the machine is overloaded";

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const event = (name: string, value: unknown): string =>
  `event: ${name}\ndata: ${JSON.stringify(value)}\n\n`;

const chunk = (delta: unknown, finish: string | null = null): string =>
  data({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1_790_000_000,
    model: "m",
    choices: [{ index: 0, delta, finish_reason: finish }],
  });

const openAiError = { error: { message: failureText, type: "server_error", code: "overloaded" } };

const openai: Shape = {
  opening: [chunk({ role: "assistant", content: "" })],
  piece: (text) => chunk({ content: text }),
  ending: (pieces) => [
    chunk({}, "stop"),
    data({
      id: "chatcmpl-1",
      object: "chat.completion.chunk",
      choices: [],
      usage: openAiUsage(pieces),
    }),
    "data: [DONE]\n\n",
  ],
  malformed: 'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"br\n\n',
  failed: data(openAiError),
  whole: (pieces) =>
    JSON.stringify({
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 1_790_000_000,
      model: "m",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: pieces.join("") },
          finish_reason: "stop",
        },
      ],
      usage: openAiUsage(pieces),
    }),
  wholeFailed: JSON.stringify(openAiError),
  errorBody: () => JSON.stringify(openAiError),
};

function openAiUsage(pieces: readonly string[]): unknown {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: pieces.length,
    total_tokens: inputTokens + pieces.length,
  };
}

const anthropicError = { type: "error", error: { type: "overloaded_error", message: failureText } };
const message = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "m",
  stop_sequence: null,
} as const;

const anthropic: Shape = {
  opening: [
    event("message_start", {
      type: "message_start",
      message: {
        ...message,
        content: [],
        stop_reason: null,
        usage: { input_tokens: inputTokens, output_tokens: 1 },
      },
    }),
    event("content_block_start", {
      type: "content_block_start",
      index: 0,
      content_block: { type: "text", text: "" },
    }),
  ],
  piece: (text) =>
    event("content_block_delta", {
      type: "content_block_delta",
      index: 0,
      delta: { type: "text_delta", text },
    }),
  ending: (pieces) => [
    event("content_block_stop", { type: "content_block_stop", index: 0 }),
    event("message_delta", {
      type: "message_delta",
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: pieces.length },
    }),
    event("message_stop", { type: "message_stop" }),
  ],
  malformed:
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"te\n\n',
  failed: event("error", anthropicError),
  whole: (pieces) =>
    JSON.stringify({
      ...message,
      content: [{ type: "text", text: pieces.join("") }],
      stop_reason: "end_turn",
      usage: { input_tokens: inputTokens, output_tokens: pieces.length },
    }),
  wholeFailed: JSON.stringify(anthropicError),
  errorBody: () => JSON.stringify(anthropicError),
};

const cog: Shape = {
  opening: [event("start", { id: "p", status: "processing" })],
  piece: (text, index) => event("output", { chunk: text, index }),
  ending: (pieces) => [event("completed", cogAnswer(pieces))],
  malformed: 'event: output\ndata: {"chunk":"br\n\n',
  failed: event("error", { error: failureText }),
  whole: (pieces) => JSON.stringify(cogAnswer(pieces)),
  wholeFailed: JSON.stringify({ id: "p", status: "failed", error: failureText, output: null }),
  errorBody: () => JSON.stringify({ error: failureText, status: "failed" }),
};

function cogAnswer(pieces: readonly string[]): unknown {
  return {
    id: "p",
    status: "succeeded",
    output: pieces,
    logs: "",
    metrics: { predict_time: 0.5, input_tokens: inputTokens, output_tokens: pieces.length },
  };
}

const responseItem = (text: string, status: string): unknown => ({
  id: "msg_theirs",
  type: "message",
  role: "assistant",
  status,
  content: [{ type: "output_text", text, annotations: [] }],
});
const response = (status: string, pieces: readonly string[], fields: object = {}): unknown => ({
  id: "resp_theirs",
  object: "response",
  created_at: 1_790_000_000,
  status,
  error: null,
  incomplete_details: null,
  model: "m",
  output: pieces.length === 0 ? [] : [responseItem(pieces.join(""), "completed")],
  usage:
    status === "completed"
      ? {
          input_tokens: inputTokens,
          output_tokens: pieces.length,
          total_tokens: inputTokens + pieces.length,
          input_tokens_details: { cached_tokens: 3 },
          output_tokens_details: { reasoning_tokens: 1 },
        }
      : null,
  ...fields,
});
const responseError = { code: "server_error", message: failureText };
const numbered = (type: string, sequence: number, fields: object): string =>
  event(type, { type, sequence_number: sequence, ...fields });
const place = { item_id: "msg_theirs", output_index: 0, content_index: 0 };
/** Events before the first piece. */
const openingCount = 4;

const responses: Shape = {
  opening: [
    numbered("response.created", 0, { response: response("in_progress", []) }),
    numbered("response.in_progress", 1, { response: response("in_progress", []) }),
    numbered("response.output_item.added", 2, {
      output_index: 0,
      item: {
        id: "msg_theirs",
        type: "message",
        role: "assistant",
        status: "in_progress",
        content: [],
      },
    }),
    numbered("response.content_part.added", 3, {
      ...place,
      part: { type: "output_text", text: "", annotations: [] },
    }),
  ],
  piece: (text, index) =>
    numbered("response.output_text.delta", openingCount + index, {
      ...place,
      delta: text,
      logprobs: [],
    }),
  ending: (pieces) => {
    const next = openingCount + pieces.length;
    const text = pieces.join("");
    return [
      numbered("response.output_text.done", next, { ...place, text, logprobs: [] }),
      numbered("response.content_part.done", next + 1, {
        ...place,
        part: { type: "output_text", text, annotations: [] },
      }),
      numbered("response.output_item.done", next + 2, {
        output_index: 0,
        item: responseItem(text, "completed"),
      }),
      numbered("response.completed", next + 3, { response: response("completed", pieces) }),
    ];
  },
  malformed:
    'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"br\n\n',
  failed: numbered("response.failed", openingCount, {
    response: response("failed", [], { error: responseError }),
  }),
  whole: (pieces) => JSON.stringify(response("completed", pieces)),
  wholeFailed: JSON.stringify(response("failed", [], { error: responseError })),
  errorBody: () => JSON.stringify(openAiError),
};

export const shapes: Readonly<Record<ShapeName, Shape>> = { openai, anthropic, responses, cog };

/** The shape that a request's path asks for; undefined for a path that no such server has. */
export function shapeOf(path: string): ShapeName | undefined {
  if (path.endsWith("/chat/completions")) return "openai";
  if (path.endsWith("/messages")) return "anthropic";
  if (path.endsWith("/responses")) return "responses";
  return path.endsWith("/predictions") ? "cog" : undefined;
}
