import type { FinishReason } from "../../../chat/reader.ts";
import { GatewayError } from "../../../errors.ts";
import type { ProviderCall } from "../adapter.ts";
import { at, listAt, numberAt, textAt } from "./answer.ts";
import type { ChatOutput } from "./chat-output.ts";
import { parseEvent } from "./event-json.ts";

export interface GeminiReader {
  /** Takes the data of one event. @throws `GatewayError` for an error in the stream, and for an answer that failed */
  read(data: string): void;
  /** Whether the answer has said why it ended; the stream has no other last word. */
  readonly isComplete: boolean;
}

/** Reads the pieces of a streamed `GenerateContentResponse`. */
export function createGeminiReader(call: ProviderCall, output: ChatOutput): GeminiReader {
  let calls = 0;
  return {
    get isComplete() {
      return output.finishReason !== undefined;
    },
    read(data) {
      const chunk = parseEvent(call.http.provider, data);
      const error = at(chunk, "error");
      if (error !== undefined) throw call.http.failure(numberAt(error, "code") ?? 500, chunk);
      for (const part of listAt(chunk, "candidates.0.content.parts")) {
        const called = at(part, "functionCall");
        if (called !== undefined) {
          output.toolCall({
            index: calls,
            id: textAt(called, "id"),
            name: textAt(called, "name"),
            arguments: JSON.stringify(at(called, "args") ?? {}),
          });
          calls += 1;
        } else if (at(part, "thought") === true) {
          output.reasoning(textAt(part, "text") ?? "");
        } else {
          output.text(textAt(part, "text") ?? "");
        }
      }
      output.count(geminiUsage(chunk));
      const reason = finishOf(call, chunk);
      if (reason !== undefined)
        output.finishReason = calls > 0 && reason === "stop" ? "tool_calls" : reason;
    },
  };
}

/** Thoughts are counted beside the answer; here, as with the other providers, they are a part of the output. */
export function geminiUsage(body: unknown): Readonly<Record<string, unknown>> {
  const usage = at(body, "usageMetadata");
  const input = numberAt(usage, "promptTokenCount");
  const answer = numberAt(usage, "candidatesTokenCount");
  const thoughts = numberAt(usage, "thoughtsTokenCount");
  const isCounted = answer !== undefined || thoughts !== undefined;
  return {
    input_tokens:
      input === undefined ? undefined : input + (numberAt(usage, "toolUsePromptTokenCount") ?? 0),
    output_tokens: isCounted ? (answer ?? 0) + (thoughts ?? 0) : undefined,
    cached_tokens: numberAt(usage, "cachedContentTokenCount"),
    reasoning_tokens: thoughts,
  };
}

const finishReasons: Readonly<Record<string, FinishReason>> = {
  STOP: "stop",
  MAX_TOKENS: "length",
  SAFETY: "content_filter",
  RECITATION: "content_filter",
  BLOCKLIST: "content_filter",
  PROHIBITED_CONTENT: "content_filter",
  SPII: "content_filter",
};

/** The model wrote something that is no call of the tools that it was given: there is no answer. */
const failedReasons: ReadonlySet<string> = new Set([
  "MALFORMED_FUNCTION_CALL",
  "UNEXPECTED_TOOL_CALL",
  "TOO_MANY_TOOL_CALLS",
]);

function finishOf(call: ProviderCall, chunk: unknown): FinishReason | undefined {
  if (textAt(chunk, "promptFeedback.blockReason") !== undefined) return "content_filter";
  const reason = textAt(chunk, "candidates.0.finishReason");
  if (reason === undefined || reason === "FINISH_REASON_UNSPECIFIED") return undefined;
  if (failedReasons.has(reason)) {
    const said = textAt(chunk, "candidates.0.finishMessage");
    throw new GatewayError(
      "prediction_failed",
      `${call.http.provider}'s model ended with ${reason}${said === undefined ? "." : `: ${said}`}`,
    );
  }
  return finishReasons[reason] ?? "stop";
}
