import type { CatalogEntry, JsonSchema } from "../catalog/entry.ts";
import { propertiesOf } from "../catalog/validate-input.ts";
import { GatewayError } from "../errors.ts";
import { isObject } from "../http/body.ts";
import { answersWithText, findInput, takesChat } from "./conventions.ts";
import type { ChatRequest } from "./create-reader.ts";
import { flattenChat } from "./flatten.ts";
import { parseMessages, type ChatMessage, type MessageMedia } from "./messages.ts";
import { checkResponseFormat, checkTools } from "./request.ts";
import { renderChat, takesTools } from "./template.ts";
import { tokenLimitNames } from "./token-limit.ts";

/** Parameters that are placed by rules of their own, that the gateway acts on, or that only describe the caller. */
const handledNames: ReadonlySet<string> = new Set([
  "model",
  "messages",
  "stream",
  "stream_options",
  "user",
  "metadata",
  "store",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "stop",
  "stop_sequences",
  "tools",
  "tool_choice",
  "response_format",
  ...tokenLimitNames,
]);

/** Values with which a parameter asks for nothing, so that a model without it serves the call as well. */
const neutralValues: ReadonlyMap<string, readonly unknown[]> = new Map(
  Object.entries({
    n: [1],
    temperature: [1],
    top_p: [1],
    presence_penalty: [0],
    frequency_penalty: [0],
    repetition_penalty: [1],
    logprobs: [false],
    top_logprobs: [0],
    parallel_tool_calls: [true],
    function_call: ["auto", "none"],
    reasoning_effort: ["none"],
    verbosity: ["medium"],
  }),
);

/**
 * The model's input for a chat request in OpenAI's shape (or one with a `prompt` in place of `messages`): by the
 * model's mapping, else by convention on the names in its input schema.
 * @throws `GatewayError`: `unsupported_parameter` naming what the model has no input for; `invalid_request`
 */
export function chatInput(
  entry: CatalogEntry,
  body: ChatRequest,
  options: {
    /** The `prompt` goes to a model that takes one as it is, without a template around it. */
    readonly isRaw?: boolean;
  } = {},
): Readonly<Record<string, unknown>> {
  assertChat(entry);
  checkTools(body);
  const target: Target = { entry, input: {} };
  const isPlaced = options.isRaw === true && place(target, "prompt", body["prompt"]);
  const request = isPlaced ? without(body, "prompt") : withMessages(entry, body);
  const template = isPlaced
    ? undefined
    : placeConversation(target, parseMessages(request["messages"]), request);
  placeTokenLimit(target, request);
  placeStop(target, request);
  placeTools(target, request, template);
  placeResponseFormat(target, request["response_format"]);
  placeRest(target, request);
  return target.input;
}

interface Target {
  readonly entry: CatalogEntry;
  readonly input: Record<string, unknown>;
}

function assertChat(entry: CatalogEntry): void {
  const lacks = !takesChat(entry)
    ? "it has neither a messages nor a prompt input"
    : answersWithText(entry)
      ? undefined
      : "its output is not text";
  if (lacks === undefined) return;
  throw new GatewayError("invalid_request", `${entry.id} is not a chat model: ${lacks}.`, {
    parameter: "model",
    hint: `Call it as a prediction: POST /v1/models/${entry.id}/predictions.`,
  });
}

/** A `prompt` in place of the messages is one user message, after the `system_prompt` where the model has no such input. */
function withMessages(entry: CatalogEntry, body: ChatRequest): ChatRequest {
  const { prompt } = body;
  if (typeof prompt !== "string" || Object.hasOwn(body, "messages")) return body;
  const rest = without(body, "prompt");
  const user = { role: "user", content: prompt };
  const { system_prompt: system } = rest;
  const takesSystem = findInput(entry, "system_prompt") !== undefined;
  if (typeof system !== "string" || takesSystem) return { ...rest, messages: [user] };
  const said = [{ role: "system", content: system }, user];
  return { ...without(rest, "system_prompt"), messages: said };
}

function without(body: ChatRequest, name: string): ChatRequest {
  return Object.fromEntries(Object.entries(body).filter(([key]) => key !== name));
}

/** Places the messages, or the prompt that they make; returns the template that made it. */
function placeConversation(
  target: Target,
  messages: readonly ChatMessage[],
  request: ChatRequest,
): string | undefined {
  const { entry } = target;
  const template = entry.mapping?.chatTemplate;
  assertMediaKnown(entry, messages);
  if (template === undefined && place(target, "messages", request["messages"])) return undefined;
  const takesSystem = findInput(entry, "system_prompt") !== undefined;
  if (template === undefined) {
    const { prompt, system } = flattenChat(messages, { hasSystemInput: takesSystem });
    placePrompt(target, prompt);
    if (takesSystem && system !== undefined) place(target, "system_prompt", system);
  } else {
    const prompt = renderChat(entry.id, template, {
      messages: request["messages"],
      tools: request["tool_choice"] === "none" ? undefined : request["tools"],
      variables: entry.mapping?.templateVariables,
    });
    placePrompt(target, prompt);
  }
  for (const kind of ["image", "audio", "video", "file"] as const) {
    placeMedia(
      target,
      kind,
      messages.flatMap(({ media }) => media.filter((medium) => medium.kind === kind)),
    );
  }
  return template;
}

function placePrompt(target: Target, prompt: string): void {
  // A model that reads pictures only takes a message without words.
  if (place(target, "prompt", prompt) || prompt === "") return;
  throw unsupported(target.entry, "messages", "text");
}

/** A model is not sent what it does not say that it takes. */
function assertMediaKnown(entry: CatalogEntry, messages: readonly ChatMessage[]): void {
  for (const { kind, where } of messages.flatMap(({ media }) => media)) {
    if (!takesMedia(entry, kind)) throw unsupported(entry, where, plural(kind));
  }
}

/** By its modalities; of a model without, by its inputs, its task and what it can. */
function takesMedia(entry: CatalogEntry, kind: MessageMedia["kind"]): boolean {
  const known = entry.modalities?.input ?? [];
  if (known.length > 0) return known.includes(kind);
  if (findInput(entry, kind) !== undefined) return true;
  if (kind !== "image") return false;
  return entry.task === "image-to-text" || entry.capabilities?.includes("vision") === true;
}

function placeMedia(
  target: Target,
  kind: MessageMedia["kind"],
  media: readonly MessageMedia[],
): void {
  const [first, second] = media;
  if (first === undefined) return;
  const found = findInput(target.entry, kind);
  if (found === undefined) throw unsupported(target.entry, first.where, plural(kind));
  const isList = typeOf(found.schema) === "array";
  if (!isList && second !== undefined) {
    throw unsupported(target.entry, second.where, `more than one ${kind}`);
  }
  target.input[found.name] = isList ? media.map(({ url }) => url) : first.url;
}

function plural(kind: MessageMedia["kind"]): string {
  return kind === "audio" ? "audio" : `${kind}s`;
}

function placeTokenLimit(target: Target, request: ChatRequest): void {
  for (const name of tokenLimitNames) {
    const value = request[name];
    if (value === undefined || value === null) continue;
    if (!place(target, "max_tokens", value)) throw unsupported(target.entry, name, name);
    return;
  }
}

/** Stop words; a model that takes them as one string gets them with commas between, as Replicate's models do. */
function placeStop(target: Target, request: ChatRequest): void {
  const given = request["stop"] ?? request["stop_sequences"];
  if (given === undefined || given === null || given === "") return;
  const words = (Array.isArray(given) ? given : [given]) as readonly unknown[];
  if (words.length === 0) return;
  words.forEach((word, index) => {
    if (typeof word === "string") return;
    const parameter = Array.isArray(given) ? `stop[${index}]` : "stop";
    throw new GatewayError("invalid_request", `${parameter} must be a string.`, { parameter });
  });
  const found = findInput(target.entry, "stop");
  if (found === undefined) throw unsupported(target.entry, "stop", "stop");
  if (typeOf(found.schema) !== "string") {
    place(target, "stop", words);
    return;
  }
  if (words.length > 1 && words.some((word) => String(word).includes(","))) {
    throw unsupported(target.entry, "stop", "several stop words with a comma in one");
  }
  target.input[found.name] = words.join(",");
}

function placeTools(target: Target, request: ChatRequest, template: string | undefined): void {
  const { tools, tool_choice: choice } = request;
  if (!Array.isArray(tools) || tools.length === 0) return;
  const { entry } = target;
  if (choice === "none" && findInput(entry, "tool_choice") === undefined) return;
  const isRendered = template !== undefined && takesTools(template);
  if (!isRendered && !place(target, "tools", tools)) throw unsupported(entry, "tools", "tools");
  if (choice === undefined || choice === null || choice === "auto") return;
  if (!place(target, "tool_choice", choice) && choice !== "none") {
    throw unsupported(entry, "tool_choice", "a tool_choice other than auto");
  }
}

/** JSON mode: as the caller gave it, or the schema alone where the model has an input for one. */
function placeResponseFormat(target: Target, format: unknown): void {
  const schema = checkResponseFormat(format);
  if (schema === undefined) return;
  if (place(target, "response_format", format) || place(target, "json_schema", schema)) return;
  throw unsupported(target.entry, "response_format", "a response_format");
}

/** Everything else goes to the input of the same name; what asks for nothing may lack one. */
function placeRest(target: Target, request: ChatRequest): void {
  for (const [name, value] of Object.entries(request)) {
    if (handledNames.has(name) || value === null || value === undefined) continue;
    if (!place(target, name, value) && !isNeutral(name, value)) {
      throw unsupported(target.entry, name, name);
    }
  }
}

/** Places a value in the model's input for a name of the conventions; false when the model has none. */
function place(target: Target, convention: string, value: unknown): boolean {
  const found = findInput(target.entry, convention);
  if (found === undefined) return false;
  target.input[found.name] = asInput(found.schema, value);
  return true;
}

function isNeutral(name: string, value: unknown): boolean {
  if (neutralValues.get(name)?.includes(value) === true) return true;
  if (Array.isArray(value)) {
    return value.length === 0 || (name === "modalities" && value.every((item) => item === "text"));
  }
  return isObject(value) && Object.keys(value).length === 0;
}

/** A structured value for an input that Cog can only declare as a string goes as JSON text; one value for a list as a list. */
function asInput(schema: JsonSchema, value: unknown): unknown {
  const type = typeOf(schema);
  if (type === "string" && typeof value === "object") return JSON.stringify(value);
  if (type === "array" && !Array.isArray(value)) return [value];
  return value;
}

/** The type of an input; of one that may be null, the other type. */
function typeOf(schema: JsonSchema): unknown {
  const union = schema["anyOf"];
  if (!Array.isArray(union)) return schema["type"];
  const types = union.flatMap((option: unknown) => (isObject(option) ? [option["type"]] : []));
  const others = types.filter((type) => type !== "null");
  return others.length === 1 ? others[0] : undefined;
}

function unsupported(entry: CatalogEntry, parameter: string, what: string): GatewayError {
  const known = Object.keys(propertiesOf(entry.inputSchema)).join(", ");
  return new GatewayError(
    "unsupported_parameter",
    `${entry.id} does not take ${what}; its inputs are ${known}.`,
    { parameter },
  );
}
