import type { CatalogEntry } from "../catalog/entry.ts";
import { isTypedChunk } from "../chat/chunk.ts";
import { findInput } from "../chat/conventions.ts";
import { answerText } from "../chat/create-reader.ts";
import { isObject, parseJsonObject } from "../http/body.ts";
import { chunkJson, type StreamEvent } from "../stream/event.ts";
import type { WireFormat } from "../upstream/provider/adapter.ts";
import type { WireRequest } from "../upstream/provider/wire-request.ts";
import { dataOf } from "./estimate.ts";
import type { Run } from "./run.ts";

/** What the caller has of an answer that broke off. */
export interface SaidSoFar {
  readonly hasOutput: boolean;
  /** Undefined where it is no text, or no longer in memory. */
  readonly text: string | undefined;
  /** A call of a tool has begun: half of it and a second one would be run as two. */
  readonly hasToolCalls: boolean;
}

const nothing: SaidSoFar = { hasOutput: false, text: "", hasToolCalls: false };
const lost: SaidSoFar = { hasOutput: true, text: undefined, hasToolCalls: true };

/** Reads a run's log from where its present answer begins. */
export function saidSoFar(run: Run): SaidSoFar {
  const events = run.log.peek(run.answerFrom);
  if (events === undefined) return lost;
  let said = nothing;
  for (const event of events) {
    const piece =
      event.kind === "output"
        ? outputPiece(run, event)
        : event.kind === "raw"
          ? rawPiece(run.request.wire?.format, event)
          : undefined;
    if (piece === undefined) continue;
    said = {
      hasOutput: true,
      text:
        said.text === undefined || piece.text === undefined ? undefined : said.text + piece.text,
      hasToolCalls: said.hasToolCalls || piece.hasToolCalls,
    };
  }
  return said;
}

type Piece = Pick<SaidSoFar, "text" | "hasToolCalls">;

const noText: Piece = { text: "", hasToolCalls: false };
const toolCall: Piece = { text: undefined, hasToolCalls: true };
const unreadable: Piece = { text: undefined, hasToolCalls: false };

function outputPiece(run: Run, event: StreamEvent): Piece {
  const chunk: unknown = JSON.parse(chunkJson(event.data).toString("utf8"));
  if (isTypedChunk(chunk)) return chunk.type === "tool_call" ? toolCall : noText;
  if (typeof chunk !== "string" && run.answering.mapping?.output === undefined) return unreadable;
  return { text: answerText(run.answering, chunk), hasToolCalls: false };
}

function rawPiece(format: WireFormat | undefined, { data }: StreamEvent): Piece {
  const json = dataOf(data.toString("utf8"));
  if (json === undefined) return noText;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return unreadable;
  }
  if (!isObject(value)) return unreadable;
  if (format === "messages") return messagesPiece(value);
  if (format !== "chat-completions" && format !== "completions") return unreadable;
  const [choice] = Array.isArray(value["choices"]) ? (value["choices"] as readonly unknown[]) : [];
  if (!isObject(choice)) return noText;
  const delta = isObject(choice["delta"]) ? choice["delta"] : {};
  if (delta["tool_calls"] !== undefined && delta["tool_calls"] !== null) return toolCall;
  const text = format === "completions" ? choice["text"] : delta["content"];
  return typeof text === "string" ? { text, hasToolCalls: false } : noText;
}

function messagesPiece(event: Readonly<Record<string, unknown>>): Piece {
  const { delta, content_block: block } = event;
  if (isObject(block) && block["type"] === "tool_use") return toolCall;
  if (!isObject(delta) || typeof delta["text"] !== "string") return noText;
  return { text: delta["text"], hasToolCalls: false };
}

type Input = Readonly<Record<string, unknown>>;

/**
 * The input with which a model goes on from a text: a conversation whose last turn is the assistant's, not ended.
 * Undefined for a model without such an input.
 */
export function continuedInput(entry: CatalogEntry, input: Input, text: string): Input | undefined {
  if (text === "") return undefined;
  const turn = { role: "assistant", content: text };
  const messages = findInput(entry, "messages");
  const given = messages === undefined ? undefined : input[messages.name];
  if (messages !== undefined && Array.isArray(given)) {
    return { ...input, [messages.name]: [...(given as readonly unknown[]), turn] };
  }
  if (messages !== undefined && typeof given === "string") {
    const turns = parsedList(given);
    if (turns !== undefined) {
      return { ...input, [messages.name]: JSON.stringify([...turns, turn]) };
    }
  }
  // A template has opened the assistant's turn at the end of the prompt.
  const prompt = entry.mapping?.chatTemplate === undefined ? undefined : findInput(entry, "prompt");
  const opened = prompt === undefined ? undefined : input[prompt.name];
  if (prompt === undefined || typeof opened !== "string") return undefined;
  return { ...input, [prompt.name]: opened + text };
}

/** The same for a request in a provider's own shape. */
export function continuedWire(wire: WireRequest, text: string): WireRequest | undefined {
  if (text === "") return undefined;
  const body = parseJsonObject(wire.body);
  if (wire.format === "completions" && typeof body["prompt"] === "string") {
    return { ...wire, body: json({ ...body, prompt: body["prompt"] + text }) };
  }
  const { messages } = body;
  const takesTurn = wire.format === "chat-completions" || wire.format === "messages";
  if (!takesTurn || !Array.isArray(messages)) return undefined;
  const turns = [...(messages as readonly unknown[]), { role: "assistant", content: text }];
  return { ...wire, body: json({ ...body, messages: turns }) };
}

function parsedList(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
