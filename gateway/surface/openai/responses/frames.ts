import type { ChatDelta, ChatReader } from "../../../chat/reader.ts";
import type { Run } from "../../../prediction/run.ts";
import type { FrameRenderer } from "../../../stream/follow.ts";
import type { ShapeRenderer } from "../../../stream/shape.ts";
import { isTakeOver, readNotice } from "../../take-over-frames.ts";
import { lastEventType, ResponseEvents, type ResponseEvent } from "./events.ts";
import { responseBody } from "./body.ts";
import type { Item } from "./items.ts";
import { responseReader, seconds } from "./keeper.ts";
import type { ResponseEnd, StoredResponse } from "./store.ts";

/** A run's events as those of a response, one frame an event: its position is the event's `sequence_number`. */
export function responseFrames(response: StoredResponse, run: Run): FrameRenderer {
  const events = new ResponseEvents(response, responseReader(response, run));
  return {
    opening: () => frames(events.opening()),
    render: (event) => {
      if (isTakeOver(event)) {
        const anew = event.kind === "restart" ? responseReader(response, run) : undefined;
        return frames(events.turn(readNotice(event), anew));
      }
      if (event.kind !== "completed" && event.kind !== "error") return frames(events.take(event));
      const { outcome } = run;
      if (outcome === undefined) return undefined;
      return frames(events.finish(outcome, seconds(run.completedAt)).events);
    },
  };
}

/** A response's stream as it can be written again. */
export const responseShape: ShapeRenderer<StoredResponse> = {
  name: "openai-response",
  create: (run, response) => responseFrames(response, run),
};

/** The same events again, out of what is kept of a response whose run is forgotten; each text comes whole. */
export function replayFrames(response: StoredResponse, end: ResponseEnd): string {
  const { end: _end, ...begun } = response;
  const events = new ResponseEvents(begun, storedReader(end));
  const told = [...events.opening(), ...events.take(anyEvent)];
  if (end.status === "completed" || end.status === "incomplete") {
    const outcome = { status: "succeeded", output: null, logs: "", metrics: {} } as const;
    told.push(...events.finish(outcome, end.completedAt).events.slice(0, -1));
  }
  return frames(told) + lastFrame(response, end);
}

/** The event that ends a response's stream, with the whole of it. */
export function lastFrame(response: StoredResponse, end: ResponseEnd): string {
  const facts = { response: responseBody({ ...response, end }) };
  return frames([{ type: lastEventType[end.status], sequence_number: end.lastSequence, ...facts }]);
}

const anyEvent = { index: 0, kind: "output", data: Buffer.from('{"chunk":"","index":0}') } as const;

/** Reads kept items as if the model said them. */
function storedReader(end: ResponseEnd): ChatReader {
  const isCut = end.incompleteReason !== null;
  return {
    plainText: () => undefined,
    read: () => end.output.flatMap((item, index) => storedDelta(item, index)),
    finish: () => ({
      deltas: [],
      result: {
        text: "",
        reasoning: "",
        toolCalls: [],
        finishReason: isCut ? "length" : "stop",
        usage: { inputTokens: 0, outputTokens: 0, isEstimated: false },
      },
    }),
  };
}

function storedDelta(item: Item, index: number): readonly ChatDelta[] {
  const [part] = Array.isArray(item["content"]) ? (item["content"] as readonly Item[]) : [];
  const text = typeof part?.["text"] === "string" ? part["text"] : "";
  switch (item["type"]) {
    case "message":
      return [{ type: "text", text }];
    case "reasoning":
      return [{ type: "reasoning", text }];
    default: {
      const { call_id: id, name, arguments: given } = item;
      const call = { id: String(id), name: String(name), arguments: String(given) };
      return [{ type: "tool_call", index, ...call }];
    }
  }
}

function frames(events: readonly ResponseEvent[]): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
}
