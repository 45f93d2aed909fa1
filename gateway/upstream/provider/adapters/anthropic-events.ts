import type { FinishReason } from "../../../chat/reader.ts";
import type { ProviderCall, ProviderEvent } from "../adapter.ts";
import { at, numberAt, textAt } from "./answer.ts";
import type { ChatOutput } from "./chat-output.ts";
import { parseEvent } from "./event-json.ts";

export interface AnthropicReader {
  /** Takes one event. @throws `GatewayError` for an `error` event */
  read(event: ProviderEvent): void;
  /** Whether `message_stop` has come. */
  readonly isComplete: boolean;
}

/** Reads the events of a streamed message. Unknown events and blocks are passed over, as the API's versioning asks. */
export function createAnthropicReader(call: ProviderCall, output: ChatOutput): AnthropicReader {
  let isComplete = false;
  /** Blocks are counted over all kinds, tool calls among themselves. */
  const calls = new Map<number, number>();
  const withArguments = new Set<number>();
  const take = (name: string, data: unknown): void => {
    const block = numberAt(data, "index") ?? 0;
    switch (name) {
      case "message_start":
        takeInput(output, at(data, "message.usage"));
        break;
      case "content_block_start":
        if (textAt(data, "content_block.type") === "tool_use") {
          calls.set(block, calls.size);
          output.toolCall({
            index: calls.size - 1,
            id: textAt(data, "content_block.id"),
            name: textAt(data, "content_block.name"),
            arguments: "",
          });
        }
        output.text(textAt(data, "content_block.text") ?? "");
        break;
      case "content_block_delta":
        if (textAt(data, "delta.partial_json") !== undefined) withArguments.add(block);
        takeDelta(output, at(data, "delta"), calls.get(block));
        break;
      case "content_block_stop":
        // A call without arguments has no piece of JSON.
        if (!withArguments.has(block)) finishCall(output, calls.get(block));
        break;
      case "message_delta":
        takeUsage(output, at(data, "usage"));
        output.finishReason =
          finishReasons[textAt(data, "delta.stop_reason") ?? ""] ?? output.finishReason;
        break;
      case "message_stop":
        isComplete = true;
        break;
      case "error":
        throw call.http.failure(statusOf(data), data);
    }
  };
  return {
    get isComplete() {
      return isComplete;
    },
    read({ name, data }) {
      if (!isComplete && name !== "ping") take(name, parseEvent(call.http.provider, data));
    },
  };
}

function takeDelta(output: ChatOutput, delta: unknown, callIndex: number | undefined): void {
  switch (textAt(delta, "type")) {
    case "text_delta":
      output.text(textAt(delta, "text") ?? "");
      break;
    case "thinking_delta":
      output.reasoning(textAt(delta, "thinking") ?? "");
      break;
    case "input_json_delta": {
      const piece = textAt(delta, "partial_json");
      if (callIndex !== undefined && piece !== undefined) {
        output.toolCall({ index: callIndex, arguments: piece });
      }
      break;
    }
  }
}

function finishCall(output: ChatOutput, callIndex: number | undefined): void {
  if (callIndex !== undefined) output.toolCall({ index: callIndex, arguments: "{}" });
}

/**
 * Anthropic counts cached input beside the input; here, as with the other providers, it is a part of it. The counts of
 * `message_delta` are of the whole message.
 */
function takeUsage(output: ChatOutput, usage: unknown): void {
  takeInput(output, usage);
  output.count({
    output_tokens: numberAt(usage, "output_tokens"),
    reasoning_tokens: numberAt(usage, "output_tokens_details.thinking_tokens"),
  });
}

/** What the first event says of the output is no count yet. */
function takeInput(output: ChatOutput, usage: unknown): void {
  const uncached = numberAt(usage, "input_tokens");
  const read = numberAt(usage, "cache_read_input_tokens");
  const written = numberAt(usage, "cache_creation_input_tokens");
  output.count({
    input_tokens: uncached === undefined ? undefined : uncached + (read ?? 0) + (written ?? 0),
    cached_tokens: read,
    cache_write_tokens: written === 0 ? undefined : written,
  });
}

const finishReasons: Readonly<Record<string, FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  pause_turn: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_calls",
  refusal: "content_filter",
};

const statusByType: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
};

/** The status that an error in a stream would have had before it. */
function statusOf(data: unknown): number {
  return statusByType[textAt(data, "error.type") ?? ""] ?? 500;
}
