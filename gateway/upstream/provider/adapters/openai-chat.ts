import type { FinishReason } from "../../../chat/reader.ts";
import { isObject } from "../../../http/body.ts";
import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { brokenAnswer, cutStream } from "../failure.ts";
import { wireUsage } from "../wire-format.ts";
import { at, listAt, numberAt, textAt } from "./answer.ts";
import { ChatOutput } from "./chat-output.ts";
import { parseEvent } from "./event-json.ts";

/** Runs an OpenAI chat completion: streamed, with its usage, when somebody may read along. */
export async function runOpenAiChat(
  call: ProviderCall,
  options: { readonly path: string; readonly body: Readonly<Record<string, unknown>> },
): Promise<ProviderResult> {
  const { path, body } = options;
  const output = new ChatOutput(call);
  if (!call.isStreaming) {
    const answer = await call.http.json({ method: "POST", path, body });
    takeOpenAiChat(call, output, answer.body);
    return output.result();
  }
  const streamed = { ...body, stream: true, stream_options: { include_usage: true } };
  const reader = createOpenAiChunkReader(call, output);
  for await (const { data } of call.http.events({ method: "POST", path, body: streamed })) {
    reader.read(data);
  }
  if (!reader.isComplete) throw cutStream(call.http.provider);
  return output.result();
}

/** A whole chat completion. @throws `GatewayError` `upstream_failed` for one without a message */
export function takeOpenAiChat(call: ProviderCall, output: ChatOutput, body: unknown): void {
  const message = at(body, "choices.0.message");
  if (!isObject(message)) throw brokenAnswer(call.http.provider, "no choices");
  takeDelta(output, message);
  takeFinish(output, textAt(body, "choices.0.finish_reason"));
  takeUsage(output, at(body, "usage"));
}

export interface ChunkReader {
  /** Takes the data of one event. @throws `GatewayError` for an error in the stream */
  read(data: string): void;
  /** Whether the answer's end has been seen. */
  readonly isComplete: boolean;
}

/** Reads `chat.completion.chunk` events; a stream is complete at `[DONE]`, or when it gave its finish reason. */
export function createOpenAiChunkReader(call: ProviderCall, output: ChatOutput): ChunkReader {
  let isDone = false;
  return {
    get isComplete() {
      return isDone || output.finishReason !== undefined;
    },
    read(data) {
      if (isDone) return;
      if (data.trim() === "[DONE]") {
        isDone = true;
        return;
      }
      const chunk = parseEvent(call.http.provider, data);
      const error = at(chunk, "error");
      if (error !== undefined) throw call.http.failure(errorStatus(error), chunk);
      const delta = at(chunk, "choices.0.delta");
      if (isObject(delta)) takeDelta(output, delta);
      takeFinish(output, textAt(chunk, "choices.0.finish_reason"));
      takeUsage(output, at(chunk, "usage"));
    },
  };
}

/** `reasoning_content` is DeepSeek's and vLLM's name, `reasoning` OpenRouter's; OpenAI's own chat has neither. */
function takeDelta(output: ChatOutput, delta: Readonly<Record<string, unknown>>): void {
  output.reasoning(textAt(delta, "reasoning_content") ?? textAt(delta, "reasoning") ?? "");
  output.text(contentText(delta["content"]));
  output.text(textAt(delta, "refusal") ?? "");
  listAt(delta, "tool_calls").forEach((piece, position) => {
    output.toolCall({
      index: numberAt(piece, "index") ?? position,
      id: textAt(piece, "id"),
      name: textAt(piece, "function.name"),
      arguments: argumentsText(at(piece, "function.arguments")),
    });
  });
}

/** Some servers answer a list of parts. */
function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part: unknown) => textAt(part, "text") ?? "").join("");
}

/** Some servers send the arguments as an object. */
function argumentsText(value: unknown): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  return JSON.stringify(value);
}

function takeUsage(output: ChatOutput, usage: unknown): void {
  if (isObject(usage)) output.count(wireUsage("chat-completions", usage));
}

const finishReasons: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  eos: "stop",
  eos_token: "stop",
  end_turn: "stop",
  stop_sequence: "stop",
  length: "length",
  max_tokens: "length",
  model_length: "length",
  tool_calls: "tool_calls",
  tool_use: "tool_calls",
  function_call: "tool_calls",
  content_filter: "content_filter",
};

function takeFinish(output: ChatOutput, reason: string | undefined): void {
  if (reason === undefined) return;
  output.finishReason = finishReasons[reason] ?? "stop";
}

const statusByType: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  permission_error: 403,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  insufficient_quota: 429,
};

/** The status that an error in a stream would have had before it. */
function errorStatus(error: unknown): number {
  const code = numberAt(error, "code");
  if (code !== undefined && code >= 400 && code < 600) return code;
  return statusByType[textAt(error, "type") ?? textAt(error, "code") ?? ""] ?? 500;
}
