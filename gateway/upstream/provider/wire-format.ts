import { valueEnd } from "../../http/scan-json.ts";
import { isObject } from "../../http/body.ts";
import type { WireFormat } from "./adapter.ts";
import { dataText, isWholeEvent } from "./wire-check.ts";

/** What one event of a provider's stream is, as far as the gateway must know. */
export type FrameReading =
  /** A comment: it keeps a connection open and is not passed on. */
  | { readonly kind: "comment"; readonly metrics?: undefined }
  | { readonly kind: "piece"; readonly metrics?: Metrics }
  /** Carries the usage and nothing else; sent because the gateway asked for it. */
  | { readonly kind: "usage"; readonly metrics?: Metrics }
  /** After it the answer is complete. */
  | { readonly kind: "last"; readonly metrics?: Metrics }
  | { readonly kind: "failed"; readonly message: string; readonly metrics?: undefined }
  /** Its data is no whole JSON. */
  | { readonly kind: "broken"; readonly metrics?: undefined };

type Metrics = Readonly<Record<string, unknown>>;

const usageKey = Buffer.from('"usage":');
const errorKey = Buffer.from('"error":');
const done = Buffer.from("[DONE]");
const colon = 0x3a;
const letterE = 0x65;
/** A chunk begins with its id, object or choices; an error is the first or second field. */
const errorWithinBytes = 64;

/**
 * Reads one event of a stream in the given format. Only an event that counts tokens, fails or ends the stream is
 * parsed; of the others just the brackets are matched.
 */
export function readFrame(format: WireFormat, frame: Buffer): FrameReading {
  if (frame[0] === colon && !frame.includes("data:")) return { kind: "comment" };
  if (frame.length < 32 && frame.includes(done)) return { kind: "last" };
  if (!isWholeEvent(frame)) return { kind: "broken" };
  if (format === "messages") return readMessagesFrame(frame);
  if (format === "responses") return readResponsesFrame(frame);
  const errorAt = frame.subarray(0, errorWithinBytes).indexOf(errorKey);
  if (errorAt !== -1) {
    const message = errorMessage(frame);
    if (message !== undefined) return { kind: "failed", message };
  }
  const usage = frame.includes(usageKey) ? usageIn(frame) : undefined;
  if (usage === undefined) return { kind: "piece" };
  const kind = /"choices"\s*:\s*\[\s*\]/.test(frame.toString("latin1")) ? "usage" : "piece";
  return { kind, metrics: wireUsage(format, usage) };
}

/** Anthropic's events: the input is counted in `message_start`, the output in `message_delta`. */
function readMessagesFrame(frame: Buffer): FrameReading {
  const name = eventName(frame);
  if (name === "message_stop") return { kind: "last" };
  if (name === "error") return { kind: "failed", message: errorMessage(frame) ?? "an error event" };
  if (name !== "message_start" && name !== "message_delta") return { kind: "piece" };
  const usage = usageIn(frame);
  if (usage === undefined) return { kind: "piece" };
  const metrics = wireUsage("messages", usage);
  // What the first event says of the output is no count yet: of a stream that breaks off it would be too little.
  if (name === "message_start") delete metrics["output_tokens"];
  return { kind: "piece", metrics };
}

/** OpenAI's events of a response: the last one has the whole of it, its count of tokens too. */
function readResponsesFrame(frame: Buffer): FrameReading {
  const name = eventName(frame);
  if (name === "error" || name === "response.failed") {
    return { kind: "failed", message: errorMessage(frame) ?? `${name} without a reason` };
  }
  if (name !== "response.completed" && name !== "response.incomplete") return { kind: "piece" };
  const { response } = dataOf(frame);
  const usage = isObject(response) ? response["usage"] : undefined;
  return isObject(usage)
    ? { kind: "last", metrics: wireUsage("responses", usage) }
    : { kind: "last" };
}

/** Events before anything that the model says: an answer that fails after them can begin anew unseen. */
const openingEvents: ReadonlySet<string> = new Set([
  "message_start",
  "ping",
  "response.created",
  "response.queued",
  "response.in_progress",
  "response.output_item.added",
  "response.content_part.added",
  "response.reasoning_summary_part.added",
]);

/** Whether an event of a stream's beginning has nothing of the answer yet: a role, an id, an empty text. */
export function isOpening(format: WireFormat, frame: Buffer): boolean {
  const name = eventName(frame);
  if (openingEvents.has(name)) return true;
  if (format === "responses") return false;
  const data = dataOf(frame);
  if (format === "messages") {
    const { content_block: block } = data;
    if (name !== "content_block_start" || !isObject(block)) return false;
    return block["type"] !== "tool_use" && (block["text"] ?? block["thinking"] ?? "") === "";
  }
  const { choices } = data;
  if (!Array.isArray(choices)) return false;
  return choices.every((choice: unknown) => isObject(choice) && isEmptyChoice(choice));
}

/** No text, no reasoning, no call of a tool, no end. */
function isEmptyChoice({ text, delta, finish_reason: reason }: Metrics): boolean {
  if (reason !== undefined && reason !== null) return false;
  if (text !== undefined && text !== "") return false;
  if (!isObject(delta)) return true;
  return Object.entries(delta).every(
    ([name, value]) => name === "role" || value === null || value === "",
  );
}

/** The name of a server-sent event whose first line says it; empty for others. */
function eventName(frame: Buffer): string {
  if (frame[0] !== letterE) return "";
  const end = frame.indexOf(0x0a);
  const line = frame.toString("latin1", 0, end === -1 ? frame.length : end).trim();
  return line.startsWith("event:") ? line.slice("event:".length).trim() : "";
}

/** The object after the last `"usage":` of a text; undefined when there is none. */
export function usageIn(text: Buffer): Metrics | undefined {
  const keyAt = text.lastIndexOf(usageKey);
  if (keyAt === -1) return undefined;
  let start = keyAt + usageKey.length;
  while (text[start] === 0x20) start += 1;
  if (text[start] !== 0x7b) return undefined;
  const end = valueEnd(text, start);
  if (end === -1) return undefined;
  try {
    return JSON.parse(text.toString("utf8", start, end)) as Metrics;
  } catch {
    return undefined;
  }
}

/** A provider's usage in the gateway's own names; fields that are no numbers are left out. */
export function wireUsage(format: WireFormat, usage: Metrics): Record<string, unknown> {
  const details = (name: string): Metrics => (usage[name] ?? {}) as Metrics;
  const fields: Readonly<Record<string, unknown>> =
    format === "messages"
      ? {
          input_tokens: wholeInput(usage),
          output_tokens: usage["output_tokens"],
          cached_tokens: usage["cache_read_input_tokens"],
          cache_write_tokens: usage["cache_creation_input_tokens"] || undefined,
          reasoning_tokens: details("output_tokens_details")["thinking_tokens"],
        }
      : {
          input_tokens: usage["prompt_tokens"] ?? usage["input_tokens"],
          output_tokens: usage["completion_tokens"] ?? usage["output_tokens"] ?? 0,
          cached_tokens:
            details("prompt_tokens_details")["cached_tokens"] ??
            details("input_tokens_details")["cached_tokens"],
          reasoning_tokens:
            details("completion_tokens_details")["reasoning_tokens"] ??
            details("output_tokens_details")["reasoning_tokens"],
        };
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => typeof value === "number"),
  );
}

/** Anthropic counts what a cache had, or took, beside the input; here, as with the other providers, it is a part of it. */
function wholeInput(usage: Metrics): number | undefined {
  const {
    input_tokens: uncached,
    cache_read_input_tokens: read,
    cache_creation_input_tokens: written,
  } = usage;
  if (typeof uncached !== "number") return undefined;
  return (
    uncached + (typeof read === "number" ? read : 0) + (typeof written === "number" ? written : 0)
  );
}

/** OpenAI and Anthropic: `error.message`; a response that failed has it one deeper, OpenAI's `error` event at its top. */
function errorMessage(frame: Buffer): string | undefined {
  const data = dataOf(frame);
  const { response, message } = data;
  const error = data["error"] ?? (isObject(response) ? response["error"] : undefined);
  if (typeof error === "string") return error;
  if (isObject(error)) {
    return typeof error["message"] === "string" ? error["message"] : JSON.stringify(error);
  }
  return data["type"] === "error" && typeof message === "string" ? message : undefined;
}

/** The data of an event as an object; an empty one when it is none. */
function dataOf(frame: Buffer): Metrics {
  try {
    const data: unknown = JSON.parse(dataText(frame));
    return isObject(data) ? data : {};
  } catch {
    return {};
  }
}
