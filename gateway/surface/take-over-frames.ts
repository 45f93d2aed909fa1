import type { StreamEvent } from "../stream/event.ts";
import type { WireFormat } from "../upstream/provider/adapter.ts";

/** What readers of a stream are told when another upstream takes it over. */
export interface TakeOverNotice {
  /** After `restart` the answer begins anew and what came before is void; after `handover` it goes on. */
  readonly type: "restart" | "handover";
  /** Of the leg that takes over, from 0. */
  readonly leg: number;
  readonly provider: string;
  readonly model: string;
  /** Why the one before it broke off. */
  readonly reason: string;
}

export function isTakeOver({ kind }: StreamEvent): boolean {
  return kind === "restart" || kind === "handover";
}

export function readNotice({ kind, data }: StreamEvent): TakeOverNotice {
  const facts = JSON.parse(data.toString("utf8")) as Omit<TakeOverNotice, "type">;
  return { type: kind === "restart" ? "restart" : "handover", ...facts };
}

/** What a chunk of OpenAI's says of itself. */
export interface ChunkHead {
  readonly id: string;
  readonly object: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly model: string;
}

/**
 * As a chunk without choices, as the one with the usage is: clients step over it, and those that look find `byom` in
 * it.
 */
export function chunkNotice(event: StreamEvent, head: ChunkHead): string {
  const chunk = { ...head, choices: [], byom: readNotice(event) };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

/** As an event of its own name, which Anthropic's clients step over. */
export function namedNotice(event: StreamEvent): string {
  const notice = readNotice(event);
  return `event: byom.${notice.type}\ndata: ${JSON.stringify({ ...notice, type: `byom.${notice.type}` })}\n\n`;
}

/** In the shape of a stream that passes through. */
export function wireNotice(
  event: StreamEvent,
  stream: { readonly format: WireFormat; readonly runId: string; readonly created: number },
): string {
  const { format, runId, created } = stream;
  if (format === "chat-completions" || format === "completions") {
    const object = format === "completions" ? "text_completion" : "chat.completion.chunk";
    const { model } = readNotice(event);
    return chunkNotice(event, { id: `chatcmpl-${runId}`, object, created, model });
  }
  return format === "responses" ? responsesNotice(event) : namedNotice(event);
}

/** As the one type of event that OpenAI's client for responses takes and steps over. */
function responsesNotice(event: StreamEvent): string {
  const notice = { type: "keepalive", sequence_number: event.index, byom: readNotice(event) };
  return `event: keepalive\ndata: ${JSON.stringify(notice)}\n\n`;
}
