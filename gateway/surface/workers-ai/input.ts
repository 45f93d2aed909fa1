import { canChat } from "../../chat/conventions.ts";
import type { ChatRequest } from "../../chat/create-reader.ts";
import { chatInput } from "../../chat/input.ts";
import type { CatalogEntry } from "../../catalog/entry.ts";
import { propertiesOf } from "../../catalog/validate-input.ts";
import { isObject } from "../../http/body.ts";
import { embeddingCalls } from "../../media/embeddings.ts";
import { ModelInputs } from "../../media/inputs.ts";
import { transcriptionInput } from "../../media/transcription.ts";
import type { Input } from "../../prediction/start.ts";
import { fileUri } from "./binary.ts";

/** How a call's answer is to be written. */
export type AnswerShape =
  | { readonly kind: "chat"; readonly request: ChatRequest }
  | { readonly kind: "embeddings"; readonly vectorsEach: number }
  | { readonly kind: "transcript" }
  | { readonly kind: "plain" };

/** What `AI.run(model, inputs)` means for one model. */
export interface WorkersCall {
  readonly shape: AnswerShape;
  /** One input per prediction: a model that embeds one text at a time gets as many as texts. */
  readonly inputs: readonly [Input, ...Input[]];
  readonly isStreamed: boolean;
}

/**
 * Reads the inputs of a call as Workers AI's clients write them: `prompt` or `messages`, `text` to embed, files as byte
 * lists or base64. What fits the model's own schema goes to it as it is.
 * @throws `GatewayError`: `invalid_request`, `unsupported_parameter`
 */
export function readCall(entry: CatalogEntry, given: Input): WorkersCall {
  const { stream, ...rest } = given;
  const isOwn = Object.hasOwn(propertiesOf(entry.inputSchema), "stream");
  const isStreamed = stream === true;
  return { ...readInputs(entry, isOwn ? given : rest), isStreamed };
}

function readInputs(entry: CatalogEntry, given: Input): Omit<WorkersCall, "isStreamed"> {
  const isChat = entry.task === "text-generation" || Object.hasOwn(given, "messages");
  if (isChat && canChat(entry)) return readChat(entry, given);
  if (entry.task === "text-embeddings") {
    const { text, input = text, dimensions, pooling: _pooling, ...rest } = given;
    if (input !== undefined) {
      delete (rest as Record<string, unknown>)["truncate_inputs"];
      const calls = embeddingCalls(entry, { input, dimensions, rest });
      const [first = {}, ...others] = calls.inputs;
      const shape = { kind: "embeddings", vectorsEach: calls.vectorsEach } as const;
      return { inputs: [first, ...others], shape };
    }
  }
  if (entry.task === "automatic-speech-recognition") {
    const input = transcriptInput(entry, given) ?? plainInput(entry, given);
    return { inputs: [input], shape: { kind: "transcript" } };
  }
  return { inputs: [plainInput(entry, given)], shape: { kind: "plain" } };
}

/** A prompt that fits goes to the model word by word; a chat is mapped to what the model takes. */
function readChat(entry: CatalogEntry, given: Input): Omit<WorkersCall, "isStreamed"> {
  const properties = propertiesOf(entry.inputSchema);
  const fits = Object.keys(given).every((name) => Object.hasOwn(properties, name));
  if (fits && !Object.hasOwn(given, "messages")) {
    return { inputs: [plainInput(entry, given)], shape: { kind: "chat", request: given } };
  }
  const request = chatRequest(given);
  return { inputs: [chatInput(entry, request)], shape: { kind: "chat", request } };
}

/** OpenAI's words for what Workers AI says otherwise. */
function chatRequest(given: Input): ChatRequest {
  const { random_seed: seed, safe_prompt: isSafe, raw, image, ...rest } = given;
  const file = fileUri(image) ?? image;
  return {
    ...rest,
    ...(seed === undefined || seed === null ? {} : { seed }),
    // Their defaults ask for nothing.
    ...(isSafe === true && { safe_prompt: true }),
    ...(raw === true && { raw }),
    ...(Object.hasOwn(given, "response_format") && {
      response_format: wrappedSchema(given["response_format"]),
    }),
    ...(file !== undefined && withImage(given, file)),
  };
}

/** Workers AI takes the bare JSON Schema where OpenAI has `{name, schema}`. */
function wrappedSchema(format: unknown): unknown {
  if (!isObject(format) || format["type"] !== "json_schema") return format;
  const { json_schema: schema } = format;
  if (!isObject(schema) || isObject(schema["schema"])) return format;
  const name = typeof schema["title"] === "string" ? schema["title"] : "answer";
  return { type: "json_schema", json_schema: { name, schema } };
}

/** Workers AI's vision models take the picture beside the messages, OpenAI's within the last one. */
function withImage(given: Input, url: unknown): Record<string, unknown> {
  const { messages, prompt = "" } = given;
  const list: readonly unknown[] = Array.isArray(messages) ? messages : [];
  const last = list.at(-1);
  const said = isObject(last) ? last["content"] : prompt;
  const parts: readonly unknown[] = Array.isArray(said) ? said : [{ type: "text", text: said }];
  const content = [...parts, { type: "image_url", image_url: { url } }];
  const role = isObject(last) ? last["role"] : "user";
  return { messages: [...list.slice(0, -1), { role, content }], prompt: undefined };
}

function transcriptInput(entry: CatalogEntry, given: Input): Input | undefined {
  const { audio, language, initial_prompt: initial, prompt = initial, task, ...others } = given;
  const file = fileUri(audio) ?? audio;
  if (typeof file !== "string") return undefined;
  const { temperature, vad_filter: usesVad, ...rest } = others;
  return transcriptionInput(entry, {
    audio: file,
    isTranslation: task === "translate",
    language,
    prompt,
    temperature,
    timestamps: "none",
    rest: usesVad === true ? { ...rest, vad_filter: true } : rest,
  });
}

/** Names under which models take what Workers AI's own models call so. */
const aliases: Readonly<Record<string, readonly string[]>> = {
  prompt: ["text", "input"],
  text: ["prompt", "input", "texts"],
  image: ["input_image", "images", "img", "init_image", "image_url"],
  image_b64: ["image", "input_image", "images"],
  mask: ["mask_image"],
  audio: ["audio_file", "file", "input_audio"],
  num_steps: ["steps", "num_inference_steps"],
  steps: ["num_steps", "num_inference_steps"],
  guidance: ["guidance_scale", "cfg_scale"],
  speaker: ["voice"],
  voice: ["speaker"],
  lang: ["language"],
};

/** The model's own names, the usual other ones, files as data URIs; an unknown name stays, to be refused as such. */
function plainInput(entry: CatalogEntry, given: Input): Input {
  const inputs = new ModelInputs(entry);
  const unknown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(sized(inputs, given))) {
    const target = inputs.nameOf([name, ...(aliases[name] ?? [])]);
    if (target === undefined) unknown[name] = value;
    else if (value !== null || Object.hasOwn(given, target)) {
      inputs.set(target, takesFile(inputs, target) ? (fileUri(value) ?? value) : value);
    }
  }
  return { ...inputs.input, ...unknown };
}

/** `width` and `height` as `1024x768` for a model that takes a size. */
function sized(inputs: ModelInputs, given: Input): Input {
  const { width, height, ...rest } = given;
  const takesSides = inputs.nameOf(["width"]) !== undefined;
  if (takesSides || typeof width !== "number" || typeof height !== "number") return given;
  const name = inputs.nameOf(["size"]);
  return name === undefined ? given : { ...rest, [name]: `${width}x${height}` };
}

/** The input that takes a file of this content type, for a call whose body is the file. */
export function fileInputName(entry: CatalogEntry, contentType: string): string | undefined {
  const inputs = new ModelInputs(entry);
  const kind = contentType.split("/", 1)[0] ?? "";
  const named = inputs.nameOf([kind, ...(aliases[kind] ?? [])]);
  if (named !== undefined) return named;
  return Object.keys(propertiesOf(entry.inputSchema)).find((name) => takesFile(inputs, name));
}

function takesFile(inputs: ModelInputs, name: string): boolean {
  const schema = inputs.schemaOf(name);
  const items = schema["items"];
  return schema["format"] === "uri" || (isObject(items) && items["format"] === "uri");
}
