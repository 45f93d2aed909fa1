import type { CatalogEntry } from "../catalog/entry.ts";
import { isConcatenated, outputText } from "../catalog/schema.ts";
import { isObject } from "../http/body.ts";
import type { Outcome, Run } from "../prediction/run.ts";
import { chunkJson, type StreamEvent } from "../stream/event.ts";
import { usageOf } from "../usage/usage.ts";
import { conversationBytes } from "./conversation.ts";
import { isTypedChunk, type ToolCallChunk } from "./chunk.ts";
import type { ChatDelta, ChatReader, ChatResult, FinishReason } from "./reader.ts";
import { ToolCallText, type TextPiece } from "./tool-call-text.ts";
import { tokenLimitOf } from "./token-limit.ts";

/** A chat in OpenAI's shape, as the caller's request says it. */
export type ChatRequest = Readonly<Record<string, unknown>>;

/** The run whose answer is read; `answering` is unknown of a recorded one. */
type ReadRun = Pick<Run, "id" | "entry" | "request"> & Partial<Pick<Run, "answering">>;

/**
 * A reader of one run's chat answer; `request` is the OpenAI chat body that the run's input was made from, or what
 * `leanRequest` left of it.
 */
export function createChatReader(run: ReadRun, options: LeanRequest): ChatReader {
  return new Reader(run, options);
}

/** What a reader reads of a chat request. */
export interface LeanRequest {
  readonly request: ChatRequest;
  /** Bytes of what was said in it, where the request has it no more. */
  readonly saidBytes?: number;
}

/** A request without what was said in it: small enough to be kept with a stream. */
export function leanRequest(request: ChatRequest): Required<LeanRequest> {
  const limit = tokenLimitOf(request);
  return {
    request: {
      ...(mayCallTools(request) && { tools: [{}] }),
      ...(limit !== undefined && { max_completion_tokens: limit }),
    },
    saidBytes: conversationBytes(request),
  };
}

/** Whether the answer may hold tool calls. */
export function mayCallTools(request: ChatRequest): boolean {
  const { tools, tool_choice: choice } = request;
  return Array.isArray(tools) && tools.length > 0 && choice !== "none";
}

const quote = 0x22;

interface OpenCall {
  id: string;
  name: string;
  arguments: string;
}

class Reader implements ChatReader {
  readonly #run: ReadRun;
  readonly #request: ChatRequest;
  readonly #saidBytes: number | undefined;
  readonly #blocks: ToolCallText | undefined;
  readonly #calls = new Map<number, OpenCall>();
  #text = "";
  #reasoning = "";
  #hasRead = false;
  #passedBytes = 0;

  constructor(run: ReadRun, options: LeanRequest) {
    const { request, saidBytes } = options;
    this.#run = run;
    this.#request = request;
    this.#saidBytes = saidBytes;
    this.#blocks = mayCallTools(request) ? new ToolCallText() : undefined;
  }

  plainText(event: StreamEvent): Buffer | undefined {
    if (event.kind !== "output" || this.#blocks !== undefined) return undefined;
    const json = chunkJson(event.data);
    if (json[0] !== quote) return undefined;
    this.#hasRead = true;
    this.#passedBytes += json.length - 2;
    return json;
  }

  read(event: StreamEvent): readonly ChatDelta[] {
    if (event.kind !== "output") return [];
    return this.#readValue(JSON.parse(chunkJson(event.data).toString("utf8")));
  }

  finish(outcome: Outcome): {
    readonly deltas: readonly ChatDelta[];
    readonly result: ChatResult;
  } {
    const deltas = this.#hasRead ? [] : [...this.#readValue(outcome.output)];
    if (this.#blocks !== undefined) deltas.push(...this.#take(this.#blocks.end()));
    const toolCalls = [...this.#calls.values()];
    const written = [this.#text, this.#reasoning, ...toolCalls.map((call) => call.arguments)];
    const result: ChatResult = {
      text: this.#text,
      reasoning: this.#reasoning,
      toolCalls,
      finishReason: finishReason(outcome, {
        hasCalls: toolCalls.length > 0,
        tokenLimit: tokenLimitOf(this.#request),
      }),
      usage: usageOf({
        metrics: outcome.metrics,
        // An input of another name is counted as the caller said it.
        inputBytes: this.#inputBytes(),
        outputBytes: written.reduce(
          (sum, text) => sum + Buffer.byteLength(text),
          this.#passedBytes,
        ),
      }),
    };
    return { deltas, result };
  }

  #inputBytes(): number {
    const { input, inputBytes = conversationBytes(input) } = this.#run.request;
    return inputBytes || (this.#saidBytes ?? conversationBytes(this.#request));
  }

  /** On a route with several models, the one that answers. */
  get #entry(): CatalogEntry {
    return this.#run.answering ?? this.#run.entry;
  }

  /** A piece of the output, or the whole of it. */
  #readValue(value: unknown): readonly ChatDelta[] {
    this.#hasRead = true;
    if (Array.isArray(value) && (isConcatenated(this.#entry) || value.some(isTypedChunk))) {
      return value.flatMap((piece) => this.#readValue(piece));
    }
    if (!isTypedChunk(value)) return this.#readText(answerText(this.#entry, value));
    if (value.type === "tool_call") return [this.#readCall(value)];
    this.#reasoning += value.text;
    return value.text === "" ? [] : [{ type: "reasoning", text: value.text }];
  }

  #readText(text: string): readonly ChatDelta[] {
    if (text === "") return [];
    if (this.#blocks !== undefined) return this.#take(this.#blocks.push(text));
    this.#text += text;
    return [{ type: "text", text }];
  }

  #take(pieces: readonly TextPiece[]): readonly ChatDelta[] {
    return pieces.map((piece) => {
      if (piece.type === "call") {
        return this.#readCall({ type: "tool_call", index: this.#calls.size, ...piece.call });
      }
      this.#text += piece.text;
      return piece;
    });
  }

  #readCall(chunk: ToolCallChunk): ChatDelta {
    const { index, name = "", arguments: piece = "" } = chunk;
    const known = this.#calls.get(index);
    if (known !== undefined) {
      known.arguments += piece;
      return { type: "tool_call", index, arguments: piece };
    }
    // Made of the run's id, so that a stream that is read again says the same.
    const id = chunk.id ?? `call_${this.#run.id}_${index}`;
    this.#calls.set(index, { id, name, arguments: piece });
    return { type: "tool_call", index, id, name, arguments: piece };
  }
}

/** The part of a model's output, or of a piece of it, that is the answer, as text. */
export function answerText(entry: CatalogEntry, value: unknown): string {
  const path = entry.mapping?.output;
  if (path === undefined || typeof value !== "object" || value === null) {
    return outputText(entry, value);
  }
  let found: unknown = value;
  for (const step of path.split(".")) {
    if (Array.isArray(found)) found = found[Number(step)];
    else found = isObject(found) && Object.hasOwn(found, step) ? found[step] : undefined;
  }
  if (!Array.isArray(found)) return outputText(entry, found);
  return found.map((item) => outputText(entry, item)).join("\n");
}

const ownReasons: ReadonlySet<unknown> = new Set<FinishReason>([
  "stop",
  "length",
  "tool_calls",
  "content_filter",
]);

function isFinishReason(reason: unknown): reason is FinishReason {
  return ownReasons.has(reason);
}

/** The model's own word (metric `finish_reason`); else that it called tools, or made as many tokens as it was allowed. */
function finishReason(
  outcome: Outcome,
  facts: { readonly hasCalls: boolean; readonly tokenLimit: number | undefined },
): FinishReason {
  const { finish_reason: own, output_tokens: outputTokens } = outcome.metrics;
  const said = isFinishReason(own) ? own : undefined;
  if (facts.hasCalls && (said === undefined || said === "stop")) return "tool_calls";
  if (said !== undefined && (said !== "tool_calls" || facts.hasCalls)) return said;
  const { tokenLimit } = facts;
  const isAtLimit =
    tokenLimit !== undefined && typeof outputTokens === "number" && outputTokens >= tokenLimit;
  return isAtLimit ? "length" : "stop";
}
