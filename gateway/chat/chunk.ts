/**
 * What a chat model's output event carries: a text as it is, or one of these. Third-party adapters emit them; an own
 * model may (its text with `<tool_call>` blocks is read as well).
 */
export type ChatChunk = string | ToolCallChunk | ReasoningChunk;

/** A piece of a tool call: the first one of an `index` has `id` and `name`, `arguments` are pieces of JSON text. */
export interface ToolCallChunk {
  readonly type: "tool_call";
  readonly index: number;
  readonly id?: string;
  readonly name?: string;
  readonly arguments?: string;
}

export interface ReasoningChunk {
  readonly type: "reasoning";
  readonly text: string;
}

/** Of a model's output value: whether it is one of the typed chunks. */
export function isTypedChunk(value: unknown): value is ToolCallChunk | ReasoningChunk {
  if (typeof value !== "object" || value === null || !("type" in value)) return false;
  return value.type === "tool_call" || value.type === "reasoning";
}
