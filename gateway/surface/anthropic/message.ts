import type { ChatResult, FinishReason, ToolCall } from "../../chat/reader.ts";
import { isObject } from "../../http/body.ts";
import type { Usage } from "../../usage/usage.ts";

export interface MessageFacts {
  /** `msg_…`. */
  readonly id: string;
  /** The model as the caller named it. */
  readonly model: string;
}

const stopReasons: Readonly<Record<FinishReason, string>> = {
  stop: "end_turn",
  length: "max_tokens",
  tool_calls: "tool_use",
  content_filter: "refusal",
};

export function stopReason(reason: FinishReason): string {
  return stopReasons[reason];
}

/** Anthropic counts what a cache had beside the input tokens, not among them. */
export function usageBody(usage: Usage): Record<string, unknown> {
  const { inputTokens, outputTokens, cachedTokens, reasoningTokens, isEstimated } = usage;
  return {
    input_tokens: inputTokens - (cachedTokens ?? 0),
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens ?? 0,
    output_tokens: outputTokens,
    ...(reasoningTokens !== undefined && {
      output_tokens_details: { thinking_tokens: reasoningTokens },
    }),
    ...(isEstimated && { estimated: true }),
  };
}

/** A message without its end, as a stream begins with it. */
export function openMessage(facts: MessageFacts, inputTokens: number): Record<string, unknown> {
  return {
    id: facts.id,
    type: "message",
    role: "assistant",
    model: facts.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: {
      input_tokens: inputTokens,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens: 0,
    },
  };
}

/** A whole answer as one message. */
export function wholeMessage(facts: MessageFacts, result: ChatResult): Record<string, unknown> {
  const { reasoning, text, toolCalls } = result;
  return {
    ...openMessage(facts, 0),
    content: [
      ...(reasoning === "" ? [] : [{ type: "thinking", thinking: reasoning, signature: "" }]),
      ...(text === "" ? [] : [{ type: "text", text, citations: null }]),
      ...toolCalls.map(toolUse),
    ],
    stop_reason: stopReason(result.finishReason),
    usage: usageBody(result.usage),
  };
}

function toolUse(call: ToolCall): Record<string, unknown> {
  return { type: "tool_use", id: call.id, name: call.name, input: readInput(call.arguments) };
}

/** Anthropic's clients expect an object; what a cut answer left of one is none. */
function readInput(text: string): unknown {
  try {
    const input: unknown = JSON.parse(text === "" ? "{}" : text);
    return isObject(input) ? input : {};
  } catch {
    return {};
  }
}
