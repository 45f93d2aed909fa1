import type { Capability, CatalogEntry, JsonSchema, RequestFormat } from "../catalog/entry.ts";
import { isTextOutput, resolveSchema } from "../catalog/schema.ts";
import { propertiesOf } from "../catalog/validate-input.ts";

/** Names under which models take what a chat request says, the most usual first; any other has its own name. */
const aliases: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    prompt: ["prompt", "text", "instruction", "question"],
    system_prompt: ["system_prompt", "system"],
    max_tokens: [
      "max_tokens",
      "max_new_tokens",
      "max_completion_tokens",
      "max_output_tokens",
      "max_length",
    ],
    stop: ["stop", "stop_sequences"],
    seed: ["seed", "random_seed"],
    repetition_penalty: ["repetition_penalty", "repeat_penalty"],
    json_schema: ["json_schema", "guided_json", "response_schema"],
    image: ["image", "images", "image_url", "input_image", "input_images"],
    audio: ["audio", "audios", "audio_url", "input_audio"],
    video: ["video", "videos", "video_url", "input_video"],
    file: ["file", "files", "document", "pdf"],
  }),
);

export interface ModelInput {
  readonly name: string;
  readonly schema: JsonSchema;
}

/** The model's own input for a name of the conventions: by its mapping, else by its usual names. */
export function findInput(entry: CatalogEntry, convention: string): ModelInput | undefined {
  const properties = knownProperties(entry.inputSchema);
  const mapped = new Map(Object.entries(entry.mapping?.inputs ?? {})).get(convention);
  const names = mapped === undefined ? (aliases.get(convention) ?? [convention]) : [mapped];
  const name = names.find((candidate) => Object.hasOwn(properties, candidate));
  if (name === undefined) return undefined;
  return { name, schema: resolveSchema(entry.inputSchema, properties[name] ?? {}) };
}

/** Of schemas in use: one chat looks a dozen names up. */
const known = new WeakMap<JsonSchema, Readonly<Record<string, JsonSchema>>>();

function knownProperties(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  const found = known.get(schema);
  if (found !== undefined) return found;
  const properties = propertiesOf(schema);
  known.set(schema, properties);
  return properties;
}

/** Whether a chat can be had with the model: it takes messages, a prompt or a picture, and answers with text. */
export function canChat(entry: CatalogEntry): boolean {
  return answersWithText(entry) && takesChat(entry);
}

/** The calls that a model takes because a chat can be had with it. */
export function chatFormats(entry: CatalogEntry): readonly RequestFormat[] {
  return canChat(entry) ? ["chat-completions", "completions", "responses", "messages"] : [];
}

/** What a chat model can do, as its inputs tell. */
export function chatCapabilities(entry: CatalogEntry): readonly Capability[] {
  if (!canChat(entry)) return [];
  const takes = (...names: readonly string[]): boolean =>
    names.some((name) => findInput(entry, name) !== undefined);
  return [
    ...(takes("tools") ? (["tools"] as const) : []),
    ...(takes("response_format", "json_schema") ? (["json"] as const) : []),
    ...(takes("image") || entry.modalities?.input.includes("image") ? (["vision"] as const) : []),
    ...(entry.isStreaming ? (["streaming"] as const) : []),
  ];
}

export function takesChat(entry: CatalogEntry): boolean {
  return ["messages", "prompt", "image"].some((name) => findInput(entry, name) !== undefined);
}

/** Whether the output, or the part of it that the mapping names, is text; unknown outputs count as text. */
export function answersWithText(entry: CatalogEntry): boolean {
  if (entry.mapping?.output !== undefined || isTextOutput(entry)) return !isFile(entry);
  const output = resolveSchema(entry.outputSchema, entry.outputSchema);
  return output["type"] === undefined && output["$ref"] === undefined && !hasShape(output);
}

function isFile(entry: CatalogEntry): boolean {
  if (entry.mapping?.output !== undefined) return false;
  return resolveSchema(entry.outputSchema, entry.outputSchema)["format"] === "uri";
}

function hasShape(output: JsonSchema): boolean {
  const union = output["anyOf"] ?? output["oneOf"];
  if (!Array.isArray(union)) return false;
  return !union.some((option: JsonSchema) => option["type"] === "string");
}
