import { createChatReader, type LeanRequest } from "../../chat/create-reader.ts";
import type { ChatDelta } from "../../chat/reader.ts";
import type { GatewayError } from "../../errors.ts";
import type { Run } from "../../prediction/run.ts";
import type { StreamEvent } from "../../stream/event.ts";
import type { FrameRenderer } from "../../stream/follow.ts";
import type { ShapeRenderer } from "../../stream/shape.ts";
import type { BlockPlace } from "../message-blocks.ts";
import { isTakeOver, namedNotice } from "../take-over-frames.ts";
import { anthropicError } from "./errors.ts";
import { openMessage, stopReason, usageBody, type MessageFacts } from "./message.ts";

export interface MessageStream extends LeanRequest {
  readonly facts: MessageFacts;
  /** For `message_start`; the end has the model's own count. */
  readonly estimatedInputTokens: number;
  readonly requestId: string;
  /** Where other upstreams wrote before. */
  readonly place?: BlockPlace | undefined;
}

/** A message's stream as it can be written again. */
export const messageShape: ShapeRenderer<MessageStream> = {
  name: "anthropic-message",
  create: messageFrames,
};

type BlockKind = "text" | "thinking" | "tool_use";

/**
 * A run's events as Anthropic's: `message_start`, for each block of the answer its start, deltas and stop, then
 * `message_delta` and `message_stop`; a failure is an `error` event in their place.
 */
export function messageFrames(run: Run, options: MessageStream): FrameRenderer {
  let reader = createChatReader(run, options);
  const blocks = new Blocks(options.place);
  const closing = (): string => {
    const { outcome } = run;
    if (outcome === undefined) return "";
    if (outcome.failure !== undefined) {
      return failureFrame(outcome.failure, options.requestId);
    }
    const { deltas, result } = reader.finish(outcome);
    const delta = { stop_reason: stopReason(result.finishReason), stop_sequence: null };
    return [
      ...deltas.map((rest) => blocks.write(rest)),
      blocks.close(),
      frame("message_delta", { type: "message_delta", delta, usage: usageBody(result.usage) }),
      frame("message_stop", { type: "message_stop" }),
    ].join("");
  };
  return {
    opening: () => {
      const message = openMessage(options.facts, options.estimatedInputTokens);
      return (
        frame("message_start", { type: "message_start", message }) + frame("ping", { type: "ping" })
      );
    },
    render: (event: StreamEvent) => {
      if (event.kind === "completed" || event.kind === "error") return closing();
      if (isTakeOver(event)) {
        if (event.kind === "handover") return namedNotice(event);
        reader = createChatReader(run, options);
        return blocks.close() + namedNotice(event);
      }
      if (event.kind !== "output") return undefined;
      const text = reader.plainText(event);
      if (text !== undefined) return blocks.writeBytes(text);
      return reader
        .read(event)
        .map((delta) => blocks.write(delta))
        .join("");
    },
  };
}

/** A failure in the middle of a stream. */
export function failureFrame(failure: GatewayError, requestId: string): string {
  return frame("error", anthropicError(failure, requestId));
}

/** The blocks of one answer, in their order; one is open at a time. */
class Blocks {
  #index: number;
  #open: BlockKind | undefined;
  readonly #calls = new Map<number, number>();

  constructor(place: BlockPlace = { index: -1, isOpen: false }) {
    this.#index = place.index;
    // What goes on within a block is a text.
    this.#open = place.isOpen ? "text" : undefined;
  }

  /** A text as JSON bytes. */
  writeBytes(json: Buffer): Buffer {
    const opened = this.#openBlock("text", { type: "text", text: "" });
    const head = `{"type":"content_block_delta","index":${this.#index},"delta":{"type":"text_delta","text":`;
    return Buffer.concat([
      Buffer.from(`${opened}event: content_block_delta\ndata: ${head}`),
      json,
      Buffer.from("}}\n\n"),
    ]);
  }

  write(delta: ChatDelta): string {
    switch (delta.type) {
      case "text":
        return (
          this.#openBlock("text", { type: "text", text: "" }) +
          this.#delta(this.#index, { type: "text_delta", text: delta.text })
        );
      case "reasoning":
        return (
          this.#openBlock("thinking", { type: "thinking", thinking: "", signature: "" }) +
          this.#delta(this.#index, { type: "thinking_delta", thinking: delta.text })
        );
      case "tool_call":
        return this.#writeCall(delta);
    }
  }

  close(): string {
    if (this.#open === undefined) return "";
    this.#open = undefined;
    return frame("content_block_stop", { type: "content_block_stop", index: this.#index });
  }

  #writeCall(delta: ChatDelta & { readonly type: "tool_call" }): string {
    let opened = "";
    if (!this.#calls.has(delta.index)) {
      const { id, name } = delta;
      opened =
        this.close() + this.#openBlock("tool_use", { type: "tool_use", id, name, input: {} });
      this.#calls.set(delta.index, this.#index);
    }
    if (delta.arguments === "") return opened;
    const index = this.#calls.get(delta.index) ?? this.#index;
    return opened + this.#delta(index, { type: "input_json_delta", partial_json: delta.arguments });
  }

  /** Begins a block unless one of its kind is open. */
  #openBlock(kind: BlockKind, block: Readonly<Record<string, unknown>>): string {
    if (this.#open === kind) return "";
    const closed = this.close();
    this.#index += 1;
    this.#open = kind;
    const start = { type: "content_block_start", index: this.#index, content_block: block };
    return closed + frame("content_block_start", start);
  }

  #delta(index: number, delta: Readonly<Record<string, unknown>>): string {
    return frame("content_block_delta", { type: "content_block_delta", index, delta });
  }
}

/** One event with its name, as Anthropic frames them. */
function frame(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
