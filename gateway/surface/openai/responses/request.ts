import type { ChatRequest } from "../../../chat/create-reader.ts";
import { GatewayError } from "../../../errors.ts";
import { isObject } from "../../../http/body.ts";
import type { Item } from "./items.ts";

type Body = Readonly<Record<string, unknown>>;

/** What a caller asked of a response, as it is told back and kept. */
export interface ResponseFacts {
  /** As the caller named it. */
  readonly model: string;
  readonly instructions: string | null;
  readonly maxOutputTokens: number | null;
  readonly temperature: number | null;
  readonly topP: number | null;
  readonly parallelToolCalls: boolean;
  readonly tools: readonly Item[];
  readonly toolChoice: unknown;
  /** `{format, verbosity}`. */
  readonly text: Body;
  /** `{effort, summary}`. */
  readonly reasoning: Body;
  readonly metadata: Readonly<Record<string, string>>;
  readonly user: string | null;
  readonly previousResponseId: string | null;
  readonly isStored: boolean;
  readonly isBackground: boolean;
  /** Whatever else the caller said, for the model's inputs of the same name. */
  readonly rest: Body;
}

/** Fields that are read here, or that only describe the caller. */
const knownFields: ReadonlySet<string> = new Set([
  "model",
  "input",
  "instructions",
  "max_output_tokens",
  "temperature",
  "top_p",
  "parallel_tool_calls",
  "tools",
  "tool_choice",
  "text",
  "reasoning",
  "metadata",
  "user",
  "previous_response_id",
  "store",
  "background",
  "stream",
  "stream_options",
  "truncation",
  "include",
  "top_logprobs",
  // Of built-in tools, of which there are none here.
  "max_tool_calls",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "prompt_cache_options",
]);

/** Fields that would change the answer in a way that is not offered. */
const refusedFields = ["conversation", "prompt", "context_management", "moderation"] as const;

/**
 * Reads the body of `POST /v1/responses`, its input aside.
 * @throws `GatewayError`: `invalid_request`, `unsupported_parameter`
 */
export function parseResponseFacts(body: Body): ResponseFacts {
  refuseUnknownWishes(body);
  const facts: ResponseFacts = {
    model: textOf(body, "model") ?? missing("model"),
    instructions: textOf(body, "instructions"),
    maxOutputTokens: numberOf(body, "max_output_tokens"),
    temperature: numberOf(body, "temperature"),
    topP: numberOf(body, "top_p"),
    parallelToolCalls: booleanOf(body, "parallel_tool_calls") ?? true,
    tools: parseTools(body["tools"]),
    toolChoice: body["tool_choice"] ?? "auto",
    text: objectOf(body, "text"),
    reasoning: objectOf(body, "reasoning"),
    metadata: parseMetadata(body["metadata"]),
    user: textOf(body, "user"),
    previousResponseId: textOf(body, "previous_response_id"),
    isStored: booleanOf(body, "store") ?? true,
    isBackground: booleanOf(body, "background") ?? false,
    rest: Object.fromEntries(Object.entries(body).filter(([name]) => !knownFields.has(name))),
  };
  if (facts.isBackground && !facts.isStored) {
    throw invalid("background", "needs the response to be stored: leave store out or set it true");
  }
  return facts;
}

/**
 * The chat that a response stands for.
 * @throws `GatewayError`: `invalid_request` for a text format or tool choice that is none
 */
export function responseChat(facts: ResponseFacts, messages: readonly Item[]): ChatRequest {
  const { instructions, text, reasoning } = facts;
  const { tools, choice } = chosenTools(facts);
  const system = instructions === null ? [] : [{ role: "system", content: instructions }];
  const format = responseFormat(text["format"]);
  return {
    ...facts.rest,
    model: facts.model,
    messages: [...system, ...messages],
    ...optional("max_completion_tokens", facts.maxOutputTokens),
    ...optional("temperature", facts.temperature),
    ...optional("top_p", facts.topP),
    ...(tools.length === 0
      ? {}
      : { tools, tool_choice: choice, parallel_tool_calls: facts.parallelToolCalls }),
    ...optional("response_format", format),
    ...optional("reasoning_effort", reasoning["effort"]),
    ...optional("verbosity", text["verbosity"]),
  };
}

function optional(name: string, value: unknown): Body {
  return value === undefined || value === null ? {} : { [name]: value };
}

/** The tools in the chat's shape, and which of them may be called. */
function chosenTools(facts: ResponseFacts): {
  readonly tools: readonly Body[];
  readonly choice: unknown;
} {
  const tools = facts.tools.map(({ name, description, parameters, strict }) => ({
    type: "function",
    function: {
      name,
      ...optional("description", description),
      ...optional("parameters", parameters),
      ...optional("strict", strict),
    },
  }));
  const { toolChoice: choice } = facts;
  if (typeof choice === "string") return { tools, choice };
  if (isObject(choice) && choice["type"] === "function") {
    return { tools, choice: { type: "function", function: { name: choice["name"] } } };
  }
  if (isObject(choice) && choice["type"] === "allowed_tools" && Array.isArray(choice["tools"])) {
    const names = new Set(
      choice["tools"].map((tool: unknown) => (isObject(tool) ? tool["name"] : undefined)),
    );
    const allowed = tools.filter((tool) => names.has(tool.function.name));
    return { tools: allowed, choice: choice["mode"] ?? "auto" };
  }
  throw invalid("tool_choice", "must be none, auto, required, a function or allowed_tools");
}

function responseFormat(format: unknown): Body | undefined {
  if (format === undefined || format === null) return undefined;
  if (!isObject(format)) throw invalid("text.format", "must be an object with a type");
  const { type, ...schema } = format;
  if (type === "text") return undefined;
  if (type === "json_object") return { type };
  if (type === "json_schema" && isObject(schema["schema"])) return { type, json_schema: schema };
  throw invalid("text.format", "must be text, json_object, or json_schema with a schema");
}

function parseTools(tools: unknown): readonly Item[] {
  if (tools === undefined || tools === null) return [];
  if (!Array.isArray(tools)) throw invalid("tools", "must be a list of tools");
  return tools.map((tool: unknown, index) => {
    const where = `tools[${index}]`;
    if (!isObject(tool)) throw invalid(where, "must be an object with a type");
    if (tool["type"] !== "function") {
      throw new GatewayError(
        "unsupported_parameter",
        `${where} is of the type ${String(tool["type"])}; only functions of the caller are taken.`,
        { parameter: where },
      );
    }
    if (typeof tool["name"] !== "string" || tool["name"] === "") {
      throw invalid(`${where}.name`, "must be a text");
    }
    return { parameters: null, strict: null, ...tool };
  });
}

/** As OpenAI bounds them. */
const metadataPairsMax = 16;
const metadataKeyCharactersMax = 64;
const metadataValueCharactersMax = 512;

function parseMetadata(metadata: unknown): Readonly<Record<string, string>> {
  if (metadata === undefined || metadata === null) return {};
  if (!isObject(metadata)) throw invalid("metadata", "must be an object of texts");
  const pairs = Object.entries(metadata);
  if (pairs.length > metadataPairsMax) {
    throw invalid("metadata", `has more than ${metadataPairsMax} pairs`);
  }
  for (const [key, value] of pairs) {
    if (key.length > metadataKeyCharactersMax) {
      throw invalid("metadata", `has a key of more than ${metadataKeyCharactersMax} characters`);
    }
    if (typeof value !== "string" || value.length > metadataValueCharactersMax) {
      const bound = `a text of at most ${metadataValueCharactersMax} characters`;
      throw invalid(`metadata.${key}`, `must be ${bound}`);
    }
  }
  return metadata as Readonly<Record<string, string>>;
}

function refuseUnknownWishes(body: Body): void {
  for (const name of refusedFields) {
    if (body[name] === undefined || body[name] === null) continue;
    throw new GatewayError("unsupported_parameter", `${name} is not offered here.`, {
      parameter: name,
    });
  }
  const { truncation, top_logprobs: logprobs } = body;
  if (truncation !== undefined && truncation !== null && truncation !== "disabled") {
    throw new GatewayError(
      "unsupported_parameter",
      "A conversation is not cut: truncation can only be disabled.",
      {
        parameter: "truncation",
      },
    );
  }
  if (logprobs !== undefined && logprobs !== null && logprobs !== 0) {
    throw new GatewayError("unsupported_parameter", "logprobs are not given.", {
      parameter: "top_logprobs",
    });
  }
}

function textOf(body: Body, name: string): string | null {
  const value = body[name];
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  throw invalid(name, "must be a text");
}

function numberOf(body: Body, name: string): number | null {
  const value = body[name];
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return value;
  throw invalid(name, "must be a number");
}

function booleanOf(body: Body, name: string): boolean | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "boolean") return value;
  throw invalid(name, "must be true or false");
}

function objectOf(body: Body, name: string): Body {
  const value = body[name];
  if (value === undefined || value === null) return {};
  if (isObject(value)) return value;
  throw invalid(name, "must be an object");
}

function missing(parameter: string): never {
  throw invalid(parameter, "is required");
}

function invalid(parameter: string, message: string): GatewayError {
  return new GatewayError("invalid_request", `${parameter} ${message}.`, { parameter });
}
