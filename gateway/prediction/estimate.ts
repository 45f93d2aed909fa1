import { conversationBytes } from "../chat/conversation.ts";
import { parseJsonObject } from "../http/body.ts";
import type { StreamEvent } from "../stream/event.ts";
import type { WireRequest } from "../upstream/provider/wire-request.ts";
import { estimatedTokens, type Usage } from "../usage/usage.ts";

/** Tasks whose calls are counted in tokens. */
const countedTasks: ReadonlySet<string> = new Set(["text-generation", "image-to-text"]);

export function isCountedInTokens(task: string): boolean {
  return countedTasks.has(task);
}

export interface LegText {
  /** What the upstream reported, as far as it came. */
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly input: Readonly<Record<string, unknown>>;
  readonly wire: Pick<WireRequest, "body"> | undefined;
  readonly events: readonly StreamEvent[];
  /** How much more there was than these events, such as 2 for twice as much. */
  readonly share: number;
}

/** The tokens of a leg whose upstream did not count them, guessed from the texts on both sides. */
export function estimatedUsage(leg: LegText): Usage {
  const { input_tokens: inputTokens } = leg.metrics;
  const outputBytes = leg.events.reduce((sum, event) => sum + outputTextBytes(event), 0);
  return {
    inputTokens: typeof inputTokens === "number" ? inputTokens : estimatedTokens(inputBytes(leg)),
    outputTokens: estimatedTokens(outputBytes * leg.share),
    isEstimated: true,
  };
}

function inputBytes({ input, wire }: LegText): number {
  if (wire === undefined) return conversationBytes(input);
  try {
    const body = parseJsonObject(wire.body);
    const system = body["system"] ?? body["instructions"];
    return (
      conversationBytes(body) +
      conversationBytes({ messages: system }) +
      conversationBytes({ messages: body["input"] })
    );
  } catch {
    return wire.body.length;
  }
}

/** Bytes of the text that a model wrote in one event, its tool calls included. */
function outputTextBytes({ kind, data }: StreamEvent): number {
  if (kind !== "output" && kind !== "raw") return 0;
  try {
    const text = data.toString("utf8");
    const json = kind === "output" ? text : dataOf(text);
    return json === undefined ? 0 : writtenBytes(JSON.parse(json));
  } catch {
    return 0;
  }
}

/** The data of a server-sent event; undefined for one without, or with OpenAI's last word. */
export function dataOf(frame: string): string | undefined {
  const lines = frame
    .split("\n")
    .flatMap((line) => (line.startsWith("data:") ? [line.slice(5).trim()] : []));
  const data = lines.join("\n");
  return data === "" || data === "[DONE]" ? undefined : data;
}

/** Names under which chunks of any shape have what the model wrote. */
const writtenNames: ReadonlySet<string> = new Set([
  "chunk",
  "content",
  "text",
  "thinking",
  "arguments",
  "partial_json",
  "reasoning_content",
  "delta",
]);

function writtenBytes(value: unknown, isWritten = false): number {
  if (typeof value === "string") return isWritten ? Buffer.byteLength(value) : 0;
  if (Array.isArray(value)) {
    return value.reduce<number>((sum, item) => sum + writtenBytes(item, isWritten), 0);
  }
  if (typeof value !== "object" || value === null) return 0;
  return Object.entries(value).reduce(
    (sum, [name, item]) => sum + writtenBytes(item, writtenNames.has(name)),
    0,
  );
}
