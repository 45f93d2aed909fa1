import { GatewayError } from "../../errors.ts";
import type { CatalogEntry, JsonSchema } from "../../catalog/entry.ts";
import { resolveSchema } from "../../catalog/schema.ts";
import { propertiesOf } from "../../catalog/validate-input.ts";
import { isObject } from "../../http/body.ts";
import { flattenChat, parseMessages, type ChatMessage } from "./messages.ts";

/** Names under which models take the bound of new tokens, the most usual first. */
const tokenLimitNames = ["max_tokens", "max_new_tokens", "max_completion_tokens"] as const;
const imageNames = ["image", "image_url", "images"] as const;
const stopNames = ["stop", "stop_sequences"] as const;

/** Parameters that the gateway itself acts on, or that only describe the caller. */
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
  ...tokenLimitNames,
  ...stopNames,
]);

/** Values with which a parameter asks for nothing, so that a model without it serves the call as well. */
const neutralValues: Readonly<Record<string, readonly unknown[]>> = {
  n: [1],
  temperature: [1],
  top_p: [1],
  presence_penalty: [0],
  frequency_penalty: [0],
  logprobs: [false],
  top_logprobs: [0],
  tool_choice: ["auto", "none"],
  parallel_tool_calls: [true],
  function_call: ["auto", "none"],
};

/**
 * The model's input for an OpenAI chat request, by convention on the names in its input schema.
 * @throws `GatewayError`: `unsupported_parameter` naming what the model has no input for; `invalid_request`
 */
export function chatInput(
  entry: CatalogEntry,
  body: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const properties = propertiesOf(entry.inputSchema);
  const messages = parseMessages(body["messages"]);
  const input: Record<string, unknown> = {};
  if (Object.hasOwn(properties, "messages")) {
    const schema = resolveSchema(entry.inputSchema, properties["messages"] ?? {});
    input["messages"] = asInput(schema, body["messages"]);
  } else if (Object.hasOwn(properties, "prompt")) {
    Object.assign(input, promptInput(entry, properties, messages));
  } else {
    throw new GatewayError(
      "invalid_request",
      `${entry.id} is not a chat model: it has neither a messages nor a prompt input.`,
      {
        parameter: "model",
        hint: `Call it as a prediction: POST /v1/models/${entry.id}/predictions.`,
      },
    );
  }
  const limit = tokenLimit(body);
  if (limit !== undefined) passOne(entry, properties, input, tokenLimitNames, limit);
  const stop = body["stop"] ?? body["stop_sequences"];
  if (stop !== undefined && stop !== null && !isEmptyList(stop)) {
    passOne(entry, properties, input, stopNames, { name: "stop", value: stop });
  }
  passSampling(entry, properties, input, body);
  return input;
}

type Properties = Readonly<Record<string, JsonSchema>>;

function promptInput(
  entry: CatalogEntry,
  properties: Properties,
  messages: readonly ChatMessage[],
): Record<string, unknown> {
  const hasSystemInput = Object.hasOwn(properties, "system_prompt");
  const { prompt, system } = flattenChat(messages, { hasSystemInput });
  const images = messages.flatMap((message) => message.images);
  const input: Record<string, unknown> = { prompt };
  if (hasSystemInput && system !== undefined) input["system_prompt"] = system;
  if (images.length > 0) {
    const name = imageNames.find((candidate) => Object.hasOwn(properties, candidate));
    if (name === undefined) throw unsupported(entry, "messages", "images in messages");
    const schema = resolveSchema(entry.inputSchema, properties[name] ?? {});
    if (schema["type"] !== "array" && images.length > 1) {
      throw unsupported(entry, "messages", "more than one image");
    }
    input[name] = schema["type"] === "array" ? images : images[0];
  }
  return input;
}

interface Named {
  readonly name: string;
  readonly value: unknown;
}

function tokenLimit(body: Readonly<Record<string, unknown>>): Named | undefined {
  for (const name of ["max_completion_tokens", "max_tokens", "max_new_tokens"]) {
    const value = body[name];
    if (value !== undefined && value !== null) return { name, value };
  }
  return undefined;
}

/** Passes a parameter under the first of its usual names that the model has. */
function passOne(
  entry: CatalogEntry,
  properties: Properties,
  input: Record<string, unknown>,
  names: readonly string[],
  parameter: Named,
): void {
  const name = names.find((candidate) => Object.hasOwn(properties, candidate));
  if (name === undefined) throw unsupported(entry, parameter.name, parameter.name);
  input[name] = asInput(resolveSchema(entry.inputSchema, properties[name] ?? {}), parameter.value);
}

/** Everything else goes to the input of the same name; what asks for nothing may lack one. */
function passSampling(
  entry: CatalogEntry,
  properties: Properties,
  input: Record<string, unknown>,
  body: Readonly<Record<string, unknown>>,
): void {
  for (const [name, value] of Object.entries(body)) {
    if (handledNames.has(name) || value === null) continue;
    if (Object.hasOwn(properties, name)) {
      input[name] = asInput(resolveSchema(entry.inputSchema, properties[name] ?? {}), value);
    } else if (!isNeutral(name, value)) {
      throw unsupported(entry, name, name);
    }
  }
}

function isNeutral(name: string, value: unknown): boolean {
  if (neutralValues[name]?.includes(value) === true) return true;
  if (isEmptyList(value) || (isObject(value) && Object.keys(value).length === 0)) return true;
  return name === "response_format" && isObject(value) && value["type"] === "text";
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** A structured value for an input that Cog can only declare as a string goes as JSON text; one stop word for a list as a list. */
function asInput(schema: JsonSchema, value: unknown): unknown {
  if (schema["type"] === "string" && typeof value === "object") return JSON.stringify(value);
  if (schema["type"] === "array" && !Array.isArray(value)) return [value];
  return value;
}

function unsupported(entry: CatalogEntry, parameter: string, what: string): GatewayError {
  const known = Object.keys(propertiesOf(entry.inputSchema)).join(", ");
  return new GatewayError(
    "unsupported_parameter",
    `${entry.id} does not take ${what}; its inputs are ${known}.`,
    { parameter },
  );
}
