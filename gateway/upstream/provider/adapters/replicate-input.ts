import { flattenChat } from "../../../chat/flatten.ts";
import { parseMessages } from "../../../chat/messages.ts";
import { GatewayError } from "../../../errors.ts";
import { isObject } from "../../../http/body.ts";
import type { ProviderCall } from "../adapter.ts";
import { at } from "./answer.ts";

type Input = Readonly<Record<string, unknown>>;

/** Under which names Replicate's models have the standard inputs, the most usual first; all others keep theirs. */
const names: Readonly<Record<string, readonly string[]>> = {
  max_tokens: ["max_tokens", "max_new_tokens", "max_completion_tokens"],
  stop: ["stop", "stop_sequences"],
  n: ["num_outputs", "number_of_images", "n"],
  steps: ["num_inference_steps", "steps"],
  guidance: ["guidance", "guidance_scale"],
  image: [
    "image",
    "input_image",
    "image_input",
    "image_prompt",
    "start_image",
    "first_frame_image",
  ],
  last_image: ["last_image", "end_image", "last_frame", "last_frame_image"],
  text: ["text", "prompt", "input"],
  input: ["texts", "text", "input"],
  voice: ["voice", "voice_id", "speaker"],
  audio: ["audio", "audio_file", "file", "generate_audio"],
};

/** Values with which an input asks for what a model without it does anyway. */
const neutralValues: Readonly<Record<string, readonly unknown[]>> = {
  n: [1],
  timestamps: ["none"],
  parallel_tool_calls: [true],
};

/**
 * The input in the model's own names. Each of Replicate's models has its own schema, so it is asked for: what it has no
 * name for is refused here, before anything runs.
 * @throws `GatewayError`: `unsupported_parameter`, `model_not_found`
 */
export async function replicateInput(call: ProviderCall): Promise<Input> {
  const properties = await propertiesOf(call);
  const own = call.task === "text-generation" ? promptInput(call.input, properties) : call.input;
  if (properties === undefined) return own;
  const entries = Object.entries(own).flatMap(([name, value]): [string, unknown][] => {
    if (value === undefined || value === null) return [];
    const candidates = [name, ...(names[name] ?? [])];
    const found = candidates.find((candidate) => Object.hasOwn(properties, candidate));
    if (found !== undefined) return [[found, fit(properties[found], value)]];
    if (neutralValues[name]?.includes(value) === true) return [];
    throw new GatewayError(
      "unsupported_parameter",
      `${call.model} has no input for ${name}; its inputs are ${Object.keys(properties).join(", ")}.`,
      { parameter: name },
    );
  });
  return Object.fromEntries(entries);
}

/** A list for one that takes one, and the other way round; texts for stop words are joined by commas, as its models read them. */
function fit(property: unknown, value: unknown): unknown {
  const type = at(property, "type");
  if (type === "array") return Array.isArray(value) ? value : [value];
  if (type !== "string" || !Array.isArray(value)) return value;
  return value.length === 1 ? (value[0] as unknown) : value.join(",");
}

/** A chat for a model that takes a prompt. Tools and JSON mode stay, and are refused where there is no input for them. */
function promptInput(input: Input, properties: Input | undefined): Input {
  if (input["messages"] === undefined) return input;
  if (properties !== undefined && Object.hasOwn(properties, "messages")) return input;
  const { messages: said, ...rest } = input;
  const messages = parseMessages(said);
  const hasSystemInput = properties === undefined || Object.hasOwn(properties, "system_prompt");
  const { prompt, system } = flattenChat(messages, { hasSystemInput });
  const images = messages.flatMap(({ media }) => media.map(({ url }) => url));
  return {
    ...rest,
    prompt,
    ...(system === undefined ? {} : { system_prompt: system }),
    ...(images.length === 0 ? {} : { image: images }),
  };
}

/** The schema of a model's inputs is asked for once in this time. */
const schemaKeptMs = 10 * 60_000;
/** Schemas kept at once. */
const schemasMax = 200;
const schemas = new Map<string, { readonly at: number; readonly properties: Input | undefined }>();

/** The model's inputs by name; undefined for a model that shows no schema, which then has the last word itself. */
async function propertiesOf(call: ProviderCall): Promise<Input | undefined> {
  const [name = "", version] = call.model.split(":", 2);
  const [owner = "", model] = name.split("/", 2);
  // Only a model's page tells the schema; a bare version names no model.
  if (model === undefined) return undefined;
  const page = `/models/${encodeURIComponent(owner)}/${encodeURIComponent(model)}`;
  const path = version === undefined ? page : `${page}/versions/${encodeURIComponent(version)}`;
  const key = `${call.http.provider} ${path}`;
  const known = schemas.get(key);
  if (known !== undefined && Date.now() - known.at < schemaKeptMs) return known.properties;
  const { body } = await call.http.json({ method: "GET", path, isModelPage: true });
  const schema = at(version === undefined ? at(body, "latest_version") : body, "openapi_schema");
  const found = at(schema, "components.schemas.Input.properties");
  const properties = isObject(found) ? found : undefined;
  const [oldest] = schemas.keys();
  if (schemas.size >= schemasMax && oldest !== undefined) schemas.delete(oldest);
  schemas.set(key, { at: Date.now(), properties });
  return properties;
}
