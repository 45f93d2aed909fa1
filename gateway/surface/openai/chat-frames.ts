import type { CatalogEntry } from "../../catalog/entry.ts";
import { outputText } from "../../catalog/schema.ts";
import type { Outcome, Run } from "../../prediction/run.ts";
import { chunkJson, type StreamEvent } from "../../stream/event.ts";
import type { FrameRenderer } from "../../stream/follow.ts";
import { usageOf, type Usage } from "../../usage/usage.ts";
import { openAiError } from "./errors.ts";

export interface ChatFacts {
  readonly run: Run;
  /** `chatcmpl-…`. */
  readonly id: string;
  /** The model as the caller named it. */
  readonly model: string;
  /** Seconds since the epoch. */
  readonly created: number;
  /** Bytes of the conversation, for an estimate when the model does not count. */
  readonly inputBytes: number;
  /** The bound that the caller set, to tell `length` from `stop`. */
  readonly tokenLimit: number | undefined;
}

const quote = 0x22;

/** A run's events as chat completion chunks. Text goes from the instance's bytes to the frame without being decoded. */
export function chatFrames(
  facts: ChatFacts,
  options: { readonly includeUsage: boolean },
): FrameRenderer {
  const usageField = options.includeUsage ? { usage: null } : {};
  const chunk = (delta: unknown, finishReason: string | null): string =>
    `data: ${JSON.stringify({
      ...chunkHead(facts),
      choices: [{ index: 0, delta, finish_reason: finishReason }],
      ...usageField,
    })}\n\n`;
  const template = chunk({ content: "\u0000" }, null).split('"\\u0000"');
  const before = Buffer.from(template[0] ?? "");
  const after = Buffer.from(template[1] ?? "");
  let outputBytes = 0;

  const content = (data: Buffer): Buffer => {
    const json = chunkJson(data);
    const text = json[0] === quote ? json : Buffer.from(pieceText(facts.run.entry, json));
    outputBytes += text.length - 2;
    return Buffer.concat([before, text, after]);
  };

  const closing = (outcome: Outcome): string => {
    const usage = usageOf({ metrics: outcome.metrics, inputBytes: facts.inputBytes, outputBytes });
    const last = chunk({}, finishReason(outcome, facts.tokenLimit));
    const counted = options.includeUsage
      ? `data: ${JSON.stringify({ ...chunkHead(facts), choices: [], usage: usageBody(usage) })}\n\n`
      : "";
    return `${last}${counted}data: [DONE]\n\n`;
  };

  return {
    opening: () => chunk({ role: "assistant", content: "" }, null),
    render: (event: StreamEvent) => {
      if (event.kind === "output") return content(event.data);
      if (event.kind !== "completed" && event.kind !== "error") return undefined;
      const { outcome } = facts.run;
      if (outcome === undefined) return undefined;
      if (outcome.failure === undefined) return closing(outcome);
      return `data: ${JSON.stringify(openAiError(outcome.failure))}\n\n`;
    },
  };
}

/** A finished run as one chat completion, and whether its usage is an estimate. */
export function chatCompletion(
  facts: ChatFacts,
  outcome: Outcome,
): { readonly body: unknown; readonly usage: Usage } {
  const content = outputText(facts.run.entry, outcome.output);
  const outputBytes = Buffer.byteLength(content);
  const usage = usageOf({ metrics: outcome.metrics, inputBytes: facts.inputBytes, outputBytes });
  const body = {
    id: facts.id,
    object: "chat.completion",
    created: facts.created,
    model: facts.model,
    choices: [
      {
        index: 0,
        message: { role: "assistant", content, refusal: null },
        logprobs: null,
        finish_reason: finishReason(outcome, facts.tokenLimit),
      },
    ],
    usage: usageBody(usage),
  };
  return { body, usage };
}

function chunkHead(facts: ChatFacts): Record<string, unknown> {
  return {
    id: facts.id,
    object: "chat.completion.chunk",
    created: facts.created,
    model: facts.model,
  };
}

function pieceText(entry: CatalogEntry, json: Buffer): string {
  return JSON.stringify(outputText(entry, JSON.parse(json.toString("utf8"))));
}

/** The model's own word (metric `finish_reason`), else `length` when it made as many tokens as it was allowed. */
function finishReason(outcome: Outcome, tokenLimit: number | undefined): string {
  const { finish_reason: own, output_tokens: outputTokens } = outcome.metrics;
  if (own === "stop" || own === "length") return own;
  const isAtLimit =
    tokenLimit !== undefined && typeof outputTokens === "number" && outputTokens >= tokenLimit;
  return isAtLimit ? "length" : "stop";
}

function usageBody(usage: Usage): Record<string, unknown> {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    ...(usage.isEstimated ? { estimated: true } : {}),
  };
}
