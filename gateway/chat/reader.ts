import type { Outcome } from "../prediction/run.ts";
import type { StreamEvent } from "../stream/event.ts";
import type { Usage } from "../usage/usage.ts";

/** One step of a chat answer, for any surface to frame. */
export type ChatDelta =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | {
      readonly type: "tool_call";
      readonly index: number;
      /** With the first piece of each call. */
      readonly id?: string;
      readonly name?: string;
      /** A piece of JSON text. */
      readonly arguments: string;
    };

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter";

/** A chat answer that has ended well. */
export interface ChatResult {
  readonly text: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: FinishReason;
  readonly usage: Usage;
}

/** Reads a run's events as a chat answer. Keeps what it has seen, so one reader per caller. */
export interface ChatReader {
  /**
   * The JSON text of an `output` event that is plain text and may go on as these bytes, which counts it but keeps it out
   * of the result's text; undefined when the event has to be read.
   */
  plainText(event: StreamEvent): Buffer | undefined;
  /** Of an `output` event; a text that may be the beginning of a tool call is held back until it is clear. */
  read(event: StreamEvent): readonly ChatDelta[];
  /** What was held back, then the whole answer. */
  finish(outcome: Outcome): { readonly deltas: readonly ChatDelta[]; readonly result: ChatResult };
}
