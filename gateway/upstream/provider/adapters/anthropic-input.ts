import { GatewayError } from "../../../errors.ts";
import type { ProviderCall } from "../adapter.ts";
import { parseDataUri } from "../data-uri.ts";
import {
  readAnswerFormat,
  readConversation,
  readTools,
  takeOnly,
  type TurnPart,
} from "./chat-turns.ts";
import { given, Inputs } from "./inputs.ts";

type Body = Readonly<Record<string, unknown>>;

/** Required by the API; used when the caller sets no bound. Every model that is served today can write this much. */
const maxTokensDefault = 8_192;

const samplingNames = ["temperature", "top_p", "top_k"] as const;

/**
 * The version of the API. The one of 2026-10-21 has no sampling parameters at all; a call that has one needs the version
 * before it, which models of that time still serve.
 */
export function anthropicVersion({ input }: ProviderCall): string {
  const isSampled = samplingNames.some((name) => (input[name] ?? undefined) !== undefined);
  return isSampled ? "2023-06-01" : "2026-10-21";
}

const inputNames: ReadonlySet<string> = new Set([
  "messages",
  "prompt",
  "system_prompt",
  "max_tokens",
  ...samplingNames,
  "stop",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "response_format",
  "reasoning_effort",
]);

/** The body of a message. @throws `GatewayError` `unsupported_parameter` for what the API has not */
export function anthropicBody(call: ProviderCall): Body {
  takeOnly(call, inputNames);
  const input = new Inputs(call);
  const { system, turns } = readConversation(call);
  const maxTokens = input.number("max_tokens") ?? maxTokensDefault;
  const stop = input.texts("stop");
  const effort = effortOf(input.text("reasoning_effort"));
  return given({
    model: call.model,
    max_tokens: maxTokens,
    system,
    messages: turns.map(({ role, parts }) => ({
      role,
      content: parts.map((part) => contentBlock(call, part)),
    })),
    stop_sequences: stop.length === 0 ? undefined : stop,
    temperature: input.number("temperature"),
    top_p: input.number("top_p"),
    top_k: input.number("top_k"),
    ...toolFields(call),
    ...thinkingFields(call, effort, maxTokens),
    output_config: outputConfig(call, effort),
  });
}

const imageTypes: ReadonlySet<string> = new Set([
  "image/jpeg",
  "image/png",
  "image/gif",
  "image/webp",
]);

function contentBlock(call: ProviderCall, part: TurnPart): Body {
  switch (part.type) {
    case "text":
      return { type: "text", text: part.text };
    case "image":
      return { type: "image", source: fileSource(call, part.uri, imageTypes) };
    case "file":
      return { type: "document", source: fileSource(call, part.uri, new Set(["application/pdf"])) };
    case "call":
      return { type: "tool_use", id: part.id, name: part.name, input: part.arguments };
    case "result":
      return { type: "tool_result", tool_use_id: part.id, content: part.text };
    default:
      throw new GatewayError(
        "unsupported_parameter",
        `${call.model} of ${call.http.provider} takes no ${part.type} in messages.`,
        { parameter: "messages" },
      );
  }
}

function fileSource(call: ProviderCall, uri: string, types: ReadonlySet<string>): Body {
  const file = parseDataUri(uri);
  if (file === undefined) return { type: "url", url: uri };
  if (!types.has(file.contentType)) {
    throw new GatewayError(
      "invalid_input",
      `${call.http.provider} takes ${[...types].join(", ")}, not ${file.contentType}.`,
      { parameter: "messages" },
    );
  }
  return { type: "base64", media_type: file.contentType, data: file.bytes.toString("base64") };
}

function toolFields(call: ProviderCall): Body {
  const { tools, choice } = readTools(call);
  if (tools.length === 0) return {};
  const isSerial = call.input["parallel_tool_calls"] === false && choice !== "none";
  const serial = isSerial ? { disable_parallel_tool_use: true } : {};
  const chosen = (): Body | undefined => {
    if (choice === "none") return { type: "none" };
    if (choice === "required") return { type: "any", ...serial };
    if (typeof choice === "object") return { type: "tool", name: choice.name, ...serial };
    return choice === "auto" || isSerial ? { type: "auto", ...serial } : undefined;
  };
  return {
    tools: tools.map(({ name, description, parameters }) =>
      given({ name, description, input_schema: parameters }),
    ),
    tool_choice: chosen(),
  };
}

type Effort = "none" | "low" | "medium" | "high" | "xhigh" | "max";

function effortOf(asked: string | undefined): Effort | undefined {
  switch (asked) {
    case undefined:
    case "none":
    case "low":
    case "medium":
    case "high":
    case "xhigh":
    case "max":
      return asked;
    case "minimal":
      return "low";
    default:
      throw new GatewayError("invalid_input", `reasoning_effort must not be ${asked}.`, {
        parameter: "reasoning_effort",
      });
  }
}

/** Models before 4.6 think by a budget of tokens and know no effort; later ones decide how much by themselves. */
const budgetModels = /^claude-(?:3|(?:opus|sonnet|haiku)-4-(?:[015]\b|\d{8}))/;
/** The smallest budget that the API takes. */
const budgetMin = 1_024;
const budgets: Readonly<Record<Exclude<Effort, "none">, number>> = {
  low: budgetMin,
  medium: 4_096,
  high: 16_384,
  xhigh: 32_768,
  max: 32_768,
};

function thinkingFields(call: ProviderCall, effort: Effort | undefined, maxTokens: number): Body {
  if (effort === undefined) return {};
  if (effort === "none") return { thinking: { type: "disabled" } };
  if (!budgetModels.test(call.model))
    return { thinking: { type: "adaptive", display: "summarized" } };
  // The budget is part of the bound.
  const budget = Math.min(budgets[effort], maxTokens - 1);
  if (budget < budgetMin) {
    throw new GatewayError(
      "invalid_input",
      `${call.model} needs max_tokens above ${budgetMin} to reason.`,
      { parameter: "max_tokens" },
    );
  }
  return { thinking: { type: "enabled", budget_tokens: budget } };
}

function outputConfig(call: ProviderCall, effort: Effort | undefined): Body | undefined {
  const format = readAnswerFormat(call);
  if (format.kind === "json" && format.schema === undefined) {
    throw new GatewayError(
      "unsupported_parameter",
      `${call.http.provider} makes JSON of a schema only: use response_format json_schema.`,
      { parameter: "response_format" },
    );
  }
  const hasEffort = effort !== undefined && effort !== "none" && !budgetModels.test(call.model);
  const config = given({
    format: format.kind === "json" ? { type: "json_schema", schema: format.schema } : undefined,
    effort: hasEffort ? effort : undefined,
  });
  return Object.keys(config).length === 0 ? undefined : config;
}
