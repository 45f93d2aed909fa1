import type { ChatRequest } from "../../chat/create-reader.ts";
import { GatewayError } from "../../errors.ts";
import { isObject } from "../../http/body.ts";
import { invalid, systemText, toChatMessages } from "./blocks.ts";

type Body = Readonly<Record<string, unknown>>;

/** Parameters with a counterpart of another name or shape, or that no model acts on. */
const handledNames: ReadonlySet<string> = new Set([
  "model",
  "messages",
  "system",
  "max_tokens",
  "stop_sequences",
  "stream",
  "tools",
  "tool_choice",
  "thinking",
  "output_config",
  "output_format",
  "metadata",
  "service_tier",
  "inference_geo",
  "cache_control",
  "diagnostics",
  "context_management",
]);

/** Budgets of thinking tokens up to which an effort is low or medium, as there is no budget in OpenAI's shape. */
const lowThinkingTokensMax = 4_096;
const mediumThinkingTokensMax = 16_384;

/**
 * A request to Anthropic's `messages` as the OpenAI chat request that asks for the same.
 * @throws `GatewayError`: `invalid_request` with the path of what is wrong, `unsupported_parameter`
 */
export function toChatRequest(
  body: Body,
  options: { readonly needsMaxTokens: boolean },
): ChatRequest {
  const { messages, max_tokens: maxTokens, stop_sequences: stop } = body;
  if (typeof body["model"] !== "string" || body["model"] === "") {
    throw invalid("model", "is required");
  }
  if (options.needsMaxTokens && (!Number.isInteger(maxTokens) || Number(maxTokens) < 1)) {
    throw invalid("max_tokens", "is required, a whole number of at least 1");
  }
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalid("messages", "must be a list with at least one message");
  }
  const system = systemText(body["system"]);
  const said = messages.flatMap((message: unknown, index) =>
    toChatMessages(message, `messages[${index}]`),
  );
  const rest = Object.entries(body).filter(([name]) => !handledNames.has(name));
  return {
    ...Object.fromEntries(rest),
    model: body["model"],
    messages: system === "" ? said : [{ role: "system", content: system }, ...said],
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    ...(stop !== undefined && stop !== null && { stop }),
    ...toolFields(body),
    ...thinkingFields(body),
    ...formatFields(body),
  };
}

function toolFields(body: Body): Body {
  const { tools, tool_choice: choice } = body;
  if (tools === undefined || tools === null) return {};
  if (!Array.isArray(tools)) throw invalid("tools", "must be a list of tools");
  return {
    tools: tools.map((tool: unknown, index) => toTool(tool, `tools[${index}]`)),
    ...(choice !== undefined && choice !== null && choiceFields(choice)),
  };
}

function toTool(tool: unknown, where: string): Body {
  if (!isObject(tool)) throw invalid(where, "must be an object");
  const { type, name, description, input_schema: parameters } = tool;
  if (type !== undefined && type !== null && type !== "custom") {
    throw new GatewayError(
      "unsupported_parameter",
      `${where}.type: tools that Anthropic runs itself (${JSON.stringify(type)}) are not available here.`,
      { parameter: `${where}.type` },
    );
  }
  if (typeof name !== "string" || name === "") throw invalid(`${where}.name`, "must be a string");
  if (!isObject(parameters)) throw invalid(`${where}.input_schema`, "must be a JSON Schema");
  return {
    type: "function",
    function: { name, ...(typeof description === "string" && { description }), parameters },
  };
}

function choiceFields(choice: unknown): Body {
  if (!isObject(choice)) throw invalid("tool_choice", "must be an object with a type");
  const isSingle = choice["disable_parallel_tool_use"] === true;
  return { tool_choice: toChoice(choice), ...(isSingle && { parallel_tool_calls: false }) };
}

function toChoice(choice: Body): unknown {
  switch (choice["type"]) {
    case "auto":
    case "none":
      return choice["type"];
    case "any":
      return "required";
    case "tool":
      if (typeof choice["name"] !== "string") {
        throw invalid("tool_choice.name", "must be a string");
      }
      return { type: "function", function: { name: choice["name"] } };
    default:
      throw invalid("tool_choice.type", "must be auto, any, tool or none");
  }
}

/** What the caller asks of the model's thinking; `adaptive` and `disabled` leave it to the model. */
function thinkingFields(body: Body): Body {
  const { thinking, output_config: config } = body;
  const effort = isObject(config) ? config["effort"] : undefined;
  if (typeof effort === "string") return { reasoning_effort: effort };
  if (!isObject(thinking) || thinking["type"] !== "enabled") return {};
  const budget = Number(thinking["budget_tokens"] ?? 0);
  if (budget <= lowThinkingTokensMax) return { reasoning_effort: "low" };
  return { reasoning_effort: budget <= mediumThinkingTokensMax ? "medium" : "high" };
}

/** Structured output: `output_config.format`, or `output_format` as it was called before. */
function formatFields(body: Body): Body {
  const { output_config: config, output_format: older } = body;
  const format = isObject(config) ? (config["format"] ?? older) : older;
  if (format === undefined || format === null) return {};
  if (!isObject(format) || format["type"] !== "json_schema" || !isObject(format["schema"])) {
    throw invalid("output_config.format", "must be {type: json_schema, schema}");
  }
  const wanted = { name: "answer", strict: true, schema: format["schema"] };
  return { response_format: { type: "json_schema", json_schema: wanted } };
}
