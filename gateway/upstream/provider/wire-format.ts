import { valueEnd } from "../../http/scan-json.ts";
import type { WireFormat } from "./adapter.ts";

/** What one event of a provider's stream is, as far as the gateway must know. */
export type FrameReading =
  /** A comment: it keeps a connection open and is not passed on. */
  | { readonly kind: "comment"; readonly metrics?: undefined }
  | { readonly kind: "piece"; readonly metrics?: Metrics }
  /** Carries the usage and nothing else; sent because the gateway asked for it. */
  | { readonly kind: "usage"; readonly metrics?: Metrics }
  /** After it the answer is complete. */
  | { readonly kind: "last"; readonly metrics?: Metrics }
  | { readonly kind: "failed"; readonly message: string; readonly metrics?: undefined };

type Metrics = Readonly<Record<string, unknown>>;

const usageKey = Buffer.from('"usage":');
const errorKey = Buffer.from('"error":');
const done = Buffer.from("[DONE]");
const colon = 0x3a;
/** A chunk begins with its id, object or choices; an error is the first or second field. */
const errorWithinBytes = 64;

/** Reads one event of a stream in the given format. Only an event that counts tokens or ends the stream is parsed. */
export function readFrame(format: WireFormat, frame: Buffer): FrameReading {
  if (frame[0] === colon && !frame.includes("data:")) return { kind: "comment" };
  if (format === "messages") return readMessagesFrame(frame);
  if (frame.length < 32 && frame.includes(done)) return { kind: "last" };
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
  const end = frame.indexOf(0x0a);
  const first = frame.toString("latin1", 0, end === -1 ? frame.length : end).trim();
  if (first === "event: message_stop") return { kind: "last" };
  if (first === "event: error") {
    return { kind: "failed", message: errorMessage(frame) ?? "an error event" };
  }
  if (first !== "event: message_start" && first !== "event: message_delta") {
    return { kind: "piece" };
  }
  const usage = usageIn(frame);
  return usage === undefined
    ? { kind: "piece" }
    : { kind: "piece", metrics: wireUsage("messages", usage) };
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
          reasoning_tokens: details("output_tokens_details")["thinking_tokens"],
        }
      : {
          input_tokens: usage["prompt_tokens"] ?? usage["input_tokens"],
          output_tokens: usage["completion_tokens"] ?? usage["output_tokens"] ?? 0,
          cached_tokens: details("prompt_tokens_details")["cached_tokens"],
          reasoning_tokens: details("completion_tokens_details")["reasoning_tokens"],
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

function errorMessage(frame: Buffer): string | undefined {
  const text = frame.toString("utf8");
  const data = text
    .split("\n")
    .flatMap((line) => (line.startsWith("data:") ? line.slice(5).trim() : []))
    .join("\n");
  try {
    const { error } = JSON.parse(data) as { readonly error?: unknown };
    if (typeof error === "string") return error;
    if (typeof error !== "object" || error === null) return undefined;
    const { message } = error as { readonly message?: unknown };
    return typeof message === "string" ? message : JSON.stringify(error);
  } catch {
    return undefined;
  }
}
