import { chatModel, ocrModel } from "../harness.ts";

/** One route of a surface, bodies that it takes, and what its errors look like. */
export interface Route {
  readonly surface: Shape;
  readonly method: "POST" | "PUT";
  readonly path: string;
  readonly bodies: readonly unknown[];
}

const prompt = { prompt: "Hi", max_tokens: 3 };
const messages = [
  { role: "system", content: "Be short." },
  { role: "user", content: [{ type: "text", text: "Hi" }] },
];
const chat = chatModel.id;
const encoded = encodeURIComponent(chat);
const workers = "/client/v4/accounts/local/ai";

const tools = [
  { type: "function", function: { name: "f", parameters: { type: "object", properties: {} } } },
];

export const routes: readonly Route[] = [
  {
    surface: "openai",
    method: "POST",
    path: "/v1/chat/completions",
    bodies: [
      { model: chat, messages, max_tokens: 3, temperature: 0.5, stop: ["x"] },
      { model: chat, messages, stream: true, stream_options: { include_usage: true } },
      {
        model: "third/chat",
        messages,
        tools,
        tool_choice: "auto",
        response_format: { type: "text" },
      },
      { model: "wire/chat", messages, stream: true },
    ],
  },
  {
    surface: "openai",
    method: "POST",
    path: "/v1/completions",
    bodies: [
      { model: chat, prompt: "Hi", stream: true },
      { model: chat, prompt: ["a", "b"] },
    ],
  },
  {
    surface: "openai",
    method: "POST",
    path: "/v1/embeddings",
    bodies: [{ model: "acme/embed", input: ["a", "b"], encoding_format: "base64" }],
  },
  {
    surface: "openai",
    method: "POST",
    path: "/v1/responses",
    bodies: [
      { model: chat, input: "Hi", max_output_tokens: 3, store: false },
      {
        model: chat,
        input: [{ role: "user", content: [{ type: "input_text", text: "Hi" }] }],
        stream: true,
        metadata: { a: "b" },
      },
    ],
  },
  {
    surface: "openai",
    method: "POST",
    path: "/v1/images/generations",
    bodies: [
      {
        model: "acme/image",
        prompt: "a cat",
        n: 1,
        size: "64x64",
        partial_images: 0,
        response_format: "b64_json",
      },
    ],
  },
  {
    surface: "openai",
    method: "POST",
    path: "/v1/audio/speech",
    bodies: [{ model: "acme/speech", input: "Hi", voice: "alloy", response_format: "wav" }],
  },
  {
    surface: "openai",
    method: "POST",
    path: "/v1/audio/transcriptions",
    bodies: [{ model: "acme/hear", file: "x" }],
  },
  {
    surface: "anthropic",
    method: "POST",
    path: "/v1/messages",
    bodies: [
      {
        model: chat,
        max_tokens: 3,
        messages: [{ role: "user", content: "Hi" }],
        system: "Be short.",
      },
      {
        model: "third/chat",
        max_tokens: 3,
        stream: true,
        messages: [
          { role: "user", content: [{ type: "text", text: "Hi" }] },
          { role: "assistant", content: [{ type: "tool_use", id: "t", name: "f", input: {} }] },
          { role: "user", content: [{ type: "tool_result", tool_use_id: "t", content: "1" }] },
        ],
        tools: [{ name: "f", input_schema: { type: "object" } }],
      },
    ],
  },
  {
    surface: "anthropic",
    method: "POST",
    path: "/v1/messages/count_tokens",
    bodies: [{ model: chat, messages: [{ role: "user", content: "Hi" }] }],
  },
  {
    surface: "replicate",
    method: "POST",
    path: `/v1/models/${chat}/predictions`,
    bodies: [{ input: prompt, webhook: null, webhook_events_filter: ["completed"] }],
  },
  {
    surface: "replicate",
    method: "POST",
    path: "/v1/predictions",
    bodies: [{ version: chatModel.digest.slice(7), input: prompt }],
  },
  {
    surface: "replicate",
    method: "PUT",
    path: "/v1/predictions/mine",
    bodies: [{ version: chat, input: prompt }],
  },
  { surface: "replicate", method: "POST", path: "/v1/files", bodies: [{ content: "x" }] },
  {
    surface: "workers",
    method: "POST",
    path: `${workers}/run/${encoded}`,
    bodies: [prompt, { ...prompt, stream: true }, { messages }, { requests: [prompt] }],
  },
  {
    surface: "workers",
    method: "POST",
    path: `${workers}/run`,
    bodies: [{ model: chat, input: prompt, options: { gateway: { id: "x", metadata: { a: 1 } } } }],
  },
  {
    surface: "openai",
    method: "POST",
    path: `${workers}/v1/chat/completions`,
    bodies: [{ model: chat, messages }],
  },
  {
    surface: "binding",
    method: "POST",
    path: "/run?version=3",
    bodies: [{ inputs: prompt, options: { returnRawResponse: true, tags: ["a"] } }],
  },
  {
    surface: "binding",
    method: "POST",
    path: "/ai-gateway/run?version=3",
    bodies: [{ inputs: { ...prompt, stream: true }, options: { gateway: { id: "x" } } }],
  },
  {
    surface: "universal",
    method: "POST",
    path: "/gateway/v1/me/default",
    bodies: [
      [
        {
          provider: "workers-ai",
          endpoint: chat,
          headers: { authorization: "Bearer x" },
          query: prompt,
          config: { requestTimeout: 1000, maxAttempts: 1 },
        },
      ],
    ],
  },
  {
    surface: "cog",
    method: "POST",
    path: `/models/${ocrModel.id}/predictions`,
    bodies: [
      { input: { image: "data:image/png;base64,AAAA", language: "en" }, context: { a: "b" } },
    ],
  },
  {
    surface: "cog",
    method: "PUT",
    path: `/models/${chat}/predictions/own`,
    bodies: [{ input: prompt }],
  },
];

type Shape = "openai" | "anthropic" | "replicate" | "workers" | "binding" | "universal" | "cog";
type Check = (body: Record<string, unknown>) => boolean;

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const hasWorkersErrors: Check = ({ success, errors }) =>
  success === false &&
  Array.isArray(errors) &&
  errors.length > 0 &&
  errors.every(
    (entry) => isObject(entry) && typeof entry["code"] === "number" && isText(entry["message"]),
  );

/** What each surface's clients read an error from. */
export const errorShapes: Readonly<Record<Shape, Check>> = {
  openai: ({ error }) =>
    isObject(error) &&
    isText(error["message"]) &&
    isText(error["type"]) &&
    (error["param"] === null || isText(error["param"])) &&
    "code" in error,
  anthropic: ({ type, error }) =>
    type === "error" && isObject(error) && isText(error["type"]) && isText(error["message"]),
  replicate: ({ detail, status }) => isText(detail) && typeof status === "number",
  workers: (body) => hasWorkersErrors(body) && body["result"] === null,
  binding: (body) =>
    hasWorkersErrors(body) || (isText(body["description"]) && "internalCode" in body),
  universal: (body) =>
    hasWorkersErrors(body) ||
    (body["success"] === false && Array.isArray(body["error"]) && body["error"].length > 0),
  cog: ({ detail, error }) => isText(detail) || Array.isArray(detail) || isText(error),
};
