import { createChatReader, type ChatRequest } from "../../chat/create-reader.ts";
import type { ChatDelta, ChatResult, ToolCall } from "../../chat/reader.ts";
import type { Run } from "../../prediction/run.ts";
import type { StreamEvent } from "../../stream/event.ts";
import type { FrameRenderer } from "../../stream/follow.ts";
import type { ShapeRenderer } from "../../stream/shape.ts";
import type { Usage } from "../../usage/usage.ts";
import { chunkNotice, isTakeOver, type ChunkHead } from "../take-over-frames.ts";
import { openAiError } from "./errors.ts";

export interface ChatFacts {
  readonly run: Run;
  /** As the caller sent it, or what a reader needs of it. */
  readonly request: ChatRequest;
  readonly saidBytes?: number;
  /** `chatcmpl-…`. */
  readonly id: string;
  /** The model as the caller named it. */
  readonly model: string;
  /** Seconds since the epoch. */
  readonly created: number;
}

/** A run's events as chat completion chunks. Plain text goes from the instance's bytes to the frame without being decoded. */
export function chatFrames(
  facts: ChatFacts,
  options: { readonly includeUsage: boolean },
): FrameRenderer {
  const { run } = facts;
  let reader = createChatReader(run, facts);
  const usageField = options.includeUsage ? { usage: null } : {};
  const chunk = (delta: unknown, finishReason: string | null): string =>
    `data: ${JSON.stringify({
      ...chunkHead(facts),
      choices: [{ index: 0, delta, finish_reason: finishReason }],
      ...usageField,
    })}\n\n`;
  const template = chunk({ content: "\u0000" }, null).split('"\\u0000"');
  const before = Buffer.from(template[0] ?? "");
  const after = Buffer.from(template[1] ?? "");

  const content = (event: StreamEvent): Buffer | string => {
    const text = reader.plainText(event);
    if (text !== undefined) return Buffer.concat([before, text, after]);
    return reader
      .read(event)
      .map((delta) => chunk(chunkDelta(delta), null))
      .join("");
  };

  const closing = (): string => {
    const { outcome } = run;
    if (outcome === undefined) return "";
    if (outcome.failure !== undefined) {
      return `data: ${JSON.stringify(openAiError(outcome.failure))}\n\n`;
    }
    const { deltas, result } = reader.finish(outcome);
    const rest = deltas.map((delta) => chunk(chunkDelta(delta), null)).join("");
    const last = chunk({}, result.finishReason);
    const counted = options.includeUsage
      ? `data: ${JSON.stringify({ ...chunkHead(facts), choices: [], usage: usageBody(result.usage) })}\n\n`
      : "";
    return `${rest}${last}${counted}data: [DONE]\n\n`;
  };

  return {
    opening: () => chunk({ role: "assistant", content: "" }, null),
    render: (event: StreamEvent) => {
      if (event.kind === "output") return content(event);
      if (isTakeOver(event)) {
        if (event.kind === "restart") reader = createChatReader(run, facts);
        return chunkNotice(event, chunkHead(facts));
      }
      return event.kind === "completed" || event.kind === "error" ? closing() : undefined;
    },
  };
}

/** A chat's stream as it can be written again. */
export const chatShape: ShapeRenderer<Omit<ChatFacts, "run"> & { readonly includeUsage: boolean }> =
  {
    name: "openai-chat",
    create: (run, { includeUsage, ...facts }) => chatFrames({ run, ...facts }, { includeUsage }),
  };

/** An answer as one chat completion. */
export function chatCompletion(facts: ChatFacts, result: ChatResult): Record<string, unknown> {
  const { text, reasoning, toolCalls } = result;
  return {
    id: facts.id,
    object: "chat.completion",
    created: facts.created,
    model: facts.model,
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: text === "" && toolCalls.length > 0 ? null : text,
          refusal: null,
          ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
          ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(toolCallBody) }),
        },
        logprobs: null,
        finish_reason: result.finishReason,
      },
    ],
    usage: usageBody(result.usage),
  };
}

/** OpenAI's count of tokens. */
export function usageBody(usage: Usage): Record<string, unknown> {
  const { cachedTokens, reasoningTokens } = usage;
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    ...(cachedTokens !== undefined && { prompt_tokens_details: { cached_tokens: cachedTokens } }),
    ...(reasoningTokens !== undefined && {
      completion_tokens_details: { reasoning_tokens: reasoningTokens },
    }),
    ...(usage.isEstimated && { estimated: true }),
  };
}

function chunkHead(facts: ChatFacts): ChunkHead {
  return {
    id: facts.id,
    object: "chat.completion.chunk",
    created: facts.created,
    model: facts.model,
  };
}

function chunkDelta(delta: ChatDelta): Record<string, unknown> {
  switch (delta.type) {
    case "text":
      return { content: delta.text };
    case "reasoning":
      // OpenAI has no word for it; this one is what most compatible servers say and clients read.
      return { reasoning_content: delta.text };
    case "tool_call":
      return { tool_calls: [callDelta(delta)] };
  }
}

function callDelta(delta: ChatDelta & { readonly type: "tool_call" }): Record<string, unknown> {
  const { index, id, name, arguments: piece } = delta;
  if (id === undefined) return { index, function: { arguments: piece } };
  return { index, id, type: "function", function: { name, arguments: piece } };
}

function toolCallBody({ id, name, arguments: given }: ToolCall): Record<string, unknown> {
  return { id, type: "function", function: { name, arguments: given } };
}
