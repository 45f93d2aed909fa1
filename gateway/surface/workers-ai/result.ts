import { createChatReader } from "../../chat/create-reader.ts";
import type { ChatResult, ToolCall } from "../../chat/reader.ts";
import { isTextOutput, outputText } from "../../catalog/schema.ts";
import { embeddingVectors } from "../../media/embeddings.ts";
import { answerOf, normalType } from "../../media/output.ts";
import { readTranscript, type Transcript } from "../../media/transcription.ts";
import type { Outcome, Run } from "../../prediction/run.ts";
import { parseDataUri } from "../../upstream/provider/data-uri.ts";
import { usageOf } from "../../usage/usage.ts";
import type { AnswerShape } from "./input.ts";
import { usageBody } from "./usage.ts";

/** What of a run an answer is written from; a stored prediction has as much. */
export type Answered = Pick<Run, "id" | "entry" | "request" | "createdAt">;

export interface Ended {
  readonly run: Answered;
  readonly outcome: Outcome;
}

/** A model's answer: a JSON value, or one file. */
export type WorkersResult =
  | { readonly kind: "json"; readonly value: unknown }
  | { readonly kind: "file"; readonly contentType: string; readonly bytes: Buffer };

/**
 * The answer of a call in Workers AI's shapes. One file comes as its bytes; several, or files that lie elsewhere, as
 * they are named.
 * @throws `GatewayError` `upstream_failed` for an output that is not what the task promises
 */
export function resultOf(shape: AnswerShape, ended: readonly [Ended, ...Ended[]]): WorkersResult {
  const [{ run, outcome }] = ended;
  switch (shape.kind) {
    case "chat": {
      const reader = createChatReader(run, { request: shape.request });
      return { kind: "json", value: chatBody(run, reader.finish(outcome).result) };
    }
    case "embeddings":
      return { kind: "json", value: embeddingsBody(ended, shape.vectorsEach) };
    case "transcript":
      return { kind: "json", value: transcriptBody(readTranscript(run.entry, outcome.output)) };
    default:
      return plainResult(run, outcome);
  }
}

/**
 * A chat answer as Workers AI's models give it (`response`, `tool_calls`) and, in the same object, as OpenAI's
 * (`choices`): its newer models and third parties answer so, and a changed model name must not break the caller.
 */
function chatBody(run: Answered, result: ChatResult): Record<string, unknown> {
  const { text, reasoning, toolCalls, finishReason, usage } = result;
  const calls = toolCalls.map(({ id, name, arguments: json }) => ({
    id,
    type: "function",
    function: { name, arguments: json },
  }));
  return {
    response: text,
    ...(toolCalls.length > 0 && { tool_calls: toolCalls.map(flatCall) }),
    usage: usageBody(usage),
    id: `chatcmpl-${run.id}`,
    object: "chat.completion",
    created: Math.floor(Date.parse(run.createdAt) / 1000),
    model: run.entry.id,
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: text === "" && calls.length > 0 ? null : text,
          ...(reasoning !== "" && { reasoning_content: reasoning }),
          ...(calls.length > 0 && { tool_calls: calls }),
        },
        finish_reason: finishReason,
      },
    ],
  };
}

/** Workers AI's own form: the arguments as an object. Text that is no JSON stays text. */
function flatCall({ id, name, arguments: json }: ToolCall): Record<string, unknown> {
  try {
    return { id, name, arguments: JSON.parse(json === "" ? "{}" : json) as unknown };
  } catch {
    return { id, name, arguments: json };
  }
}

function embeddingsBody(ended: readonly Ended[], vectorsEach: number): Record<string, unknown> {
  const data = ended.flatMap(({ run, outcome }) =>
    embeddingVectors(run.entry, outcome.output, vectorsEach),
  );
  return { shape: [data.length, data[0]?.length ?? 0], data };
}

function transcriptBody(transcript: Transcript): Record<string, unknown> {
  const { text, language, duration, segments, words } = transcript;
  return {
    text,
    word_count: text.trim() === "" ? 0 : text.trim().split(/\s+/).length,
    ...(words.length > 0 && { words }),
    ...(segments.length > 0 && {
      segments: segments.map(({ start, end, text: said, facts }) => ({
        start,
        end,
        text: said,
        ...facts,
      })),
    }),
    ...((language !== undefined || duration !== undefined) && {
      transcription_info: { language, duration },
    }),
  };
}

function plainResult(run: Answered, outcome: Outcome): WorkersResult {
  const { entry } = run;
  const answer = answerOf(entry, outcome.output);
  const [only, ...more] = Array.isArray(answer) ? (answer as readonly unknown[]) : [answer];
  const file = more.length === 0 && typeof only === "string" ? parseDataUri(only) : undefined;
  if (file !== undefined) {
    const contentType = normalType(file.contentType, file.bytes);
    return { kind: "file", contentType, bytes: file.bytes };
  }
  const medium = mediaNames[entry.task];
  if (medium !== undefined && more.length === 0 && isUrl(only)) {
    return { kind: "json", value: { [medium]: only } };
  }
  if (!isTextOutput(entry) || typeof only === "object" || isUrl(only)) {
    return { kind: "json", value: outcome.output };
  }
  const response = outputText(entry, outcome.output);
  const usage = usageOf({
    metrics: outcome.metrics,
    inputBytes: Buffer.byteLength(JSON.stringify(run.request.input)),
    outputBytes: Buffer.byteLength(response),
  });
  const description = entry.task === "image-to-text" ? { description: response } : {};
  return { kind: "json", value: { response, ...description, usage: usageBody(usage) } };
}

/** Under which name third parties' files are answered when they lie at a URL. */
const mediaNames: Readonly<Record<string, string | undefined>> = {
  "text-to-image": "image",
  "image-to-image": "image",
  "text-to-speech": "audio",
  "text-to-video": "video",
  "image-to-video": "video",
};

function isUrl(value: unknown): boolean {
  return typeof value === "string" && /^https?:\/\/\S+$/.test(value);
}
