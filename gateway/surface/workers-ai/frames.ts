import { createChatReader, leanRequest, type LeanRequest } from "../../chat/create-reader.ts";
import type { ChatDelta, ChatResult } from "../../chat/reader.ts";
import { isTextOutput, outputText } from "../../catalog/schema.ts";
import type { Outcome, Run } from "../../prediction/run.ts";
import { chunkJson, type StreamEvent } from "../../stream/event.ts";
import type { FrameRenderer } from "../../stream/follow.ts";
import type { ShapeRenderer } from "../../stream/shape.ts";
import { isTakeOver, readNotice } from "../take-over-frames.ts";
import { failure } from "./errors.ts";
import { isThirdParty } from "./envelope.ts";
import type { AnswerShape } from "./input.ts";
import { usageOf } from "../../usage/usage.ts";
import { usageBody } from "./usage.ts";

/** One way to write the pieces of a chat. */
interface ChatFrames {
  readonly opening?: () => string;
  readonly delta: (delta: ChatDelta) => unknown;
  readonly closing: (result: ChatResult) => readonly unknown[];
  readonly notice: (event: StreamEvent) => unknown;
}

type WorkersStream =
  | ({ readonly kind: "chat"; readonly speaksOpenAi: boolean } & LeanRequest)
  | { readonly kind: "pieces"; readonly inputBytes: number };

/** A stream of Workers AI as it can be written again. */
export const workersShape: ShapeRenderer<WorkersStream> = {
  name: "workers-ai",
  create: workersFrames,
};

export function workersStream(run: Run, shape: AnswerShape): WorkersStream {
  if (shape.kind !== "chat") {
    return { kind: "pieces", inputBytes: Buffer.byteLength(JSON.stringify(run.request.input)) };
  }
  const speaksOpenAi =
    Object.hasOwn(shape.request, "stream_options") ||
    (isThirdParty(run.entry) && !run.entry.id.startsWith("@"));
  return { kind: "chat", speaksOpenAi, ...leanRequest(shape.request) };
}

/**
 * A run's events as Workers AI streams them: `data: {"response":…}` per piece, a last one with the usage, then
 * `data: [DONE]`; a failure is an envelope in its place. Third parties' models come as OpenAI's chunks, as on
 * Cloudflare, and so does any model for a caller who speaks OpenAI (`stream_options`).
 */
function workersFrames(run: Run, facts: WorkersStream): FrameRenderer {
  if (facts.kind === "pieces") return pieceFrames(run, facts.inputBytes);
  const frames = facts.speaksOpenAi ? openAiFrames(run) : nativeFrames;
  let reader = createChatReader(run, facts);
  return {
    ...(frames.opening !== undefined && { opening: frames.opening }),
    render: (event: StreamEvent) => {
      if (event.kind === "output") return render(reader.read(event).map(frames.delta));
      if (isTakeOver(event)) {
        if (event.kind === "restart") reader = createChatReader(run, facts);
        return render([frames.notice(event)]);
      }
      return ending(run, event, (outcome) => {
        const { deltas, result } = reader.finish(outcome);
        return [...deltas.map(frames.delta), ...frames.closing(result)];
      });
    },
  };
}

const nativeFrames: ChatFrames = {
  delta: (delta) => {
    if (delta.type === "text") return { response: delta.text };
    if (delta.type === "reasoning") return { response: "", reasoning_content: delta.text };
    return { response: "", tool_calls: [callPiece(delta)] };
  },
  closing: ({ finishReason, usage }) => [
    { response: "", usage: usageBody(usage), finish_reason: finishReason },
  ],
  notice: pieceNotice,
};

/** A piece of no text, which clients step over. */
function pieceNotice(event: StreamEvent): unknown {
  return { response: "", byom: readNotice(event) };
}

function openAiFrames(run: Run): ChatFrames {
  const head = {
    id: `chatcmpl-${run.id}`,
    object: "chat.completion.chunk",
    created: Math.floor(Date.parse(run.createdAt) / 1000),
    model: run.entry.id,
  };
  const chunk = (delta: unknown, finishReason: string | null = null): unknown => ({
    ...head,
    choices: [{ index: 0, delta, finish_reason: finishReason }],
  });
  return {
    opening: () => frame(chunk({ role: "assistant", content: "" })),
    delta: (delta) => {
      if (delta.type === "text") return chunk({ content: delta.text });
      if (delta.type === "reasoning") return chunk({ reasoning_content: delta.text });
      return chunk({ tool_calls: [callPiece(delta)] });
    },
    closing: ({ finishReason, usage }) => [
      chunk({}, finishReason),
      { ...head, choices: [], usage: usageBody(usage) },
    ],
    notice: (event) => ({ ...head, choices: [], byom: readNotice(event) }),
  };
}

function callPiece(delta: ChatDelta & { readonly type: "tool_call" }): Record<string, unknown> {
  const { index, id, name, arguments: json } = delta;
  return {
    index,
    ...(id !== undefined && { id, type: "function" }),
    function: { ...(name !== undefined && { name }), arguments: json },
  };
}

/** Any other model: each piece of its output as it is, then what the whole came to. */
function pieceFrames(run: Run, inputBytes: number): FrameRenderer {
  let outputBytes = 0;
  return {
    render: (event: StreamEvent) => {
      if (event.kind === "output") {
        const json = chunkJson(event.data);
        const piece: unknown = JSON.parse(json.toString("utf8"));
        outputBytes += json.length;
        return render([
          { response: isTextOutput(run.entry) ? outputText(run.entry, piece) : piece },
        ]);
      }
      if (isTakeOver(event)) {
        outputBytes = event.kind === "restart" ? 0 : outputBytes;
        return render([pieceNotice(event)]);
      }
      return ending(run, event, (outcome) => {
        const usage = usageOf({
          metrics: outcome.metrics,
          inputBytes,
          outputBytes,
        });
        return [{ response: "", usage: usageBody(usage) }];
      });
    },
  };
}

function ending(
  run: Run,
  event: StreamEvent,
  closing: (outcome: Outcome) => readonly unknown[],
): Buffer | undefined {
  if (event.kind !== "completed" && event.kind !== "error") return undefined;
  const { outcome } = run;
  if (outcome === undefined) return undefined;
  if (outcome.failure !== undefined) return render([failure(outcome.failure)]);
  return Buffer.concat([render(closing(outcome)), Buffer.from("data: [DONE]\n\n")]);
}

function render(bodies: readonly unknown[]): Buffer {
  return Buffer.from(bodies.map(frame).join(""));
}

function frame(body: unknown): string {
  return `data: ${JSON.stringify(body)}\n\n`;
}
