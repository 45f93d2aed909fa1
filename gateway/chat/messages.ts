import { GatewayError } from "../errors.ts";
import { isObject } from "../http/body.ts";

/** A file in a message: an image, a sound, a document. */
export interface MessageMedia {
  readonly kind: "image" | "audio" | "video" | "file";
  /** A URL, data URIs included. */
  readonly url: string;
  /** Where it stands, such as `messages[0].content[1]`. */
  readonly where: string;
}

export interface ChatMessage {
  readonly role: string;
  /** The text of all text parts. */
  readonly text: string;
  readonly media: readonly MessageMedia[];
  /** Of an assistant's message: the calls that it made. */
  readonly toolCalls: readonly { readonly name: string; readonly arguments: string }[];
}

const roles: ReadonlySet<string> = new Set([
  "system",
  "developer",
  "user",
  "assistant",
  "tool",
  "function",
]);

/**
 * Reads OpenAI's `messages` and checks their structure.
 * @throws `GatewayError` `invalid_request` with the path of what is wrong, such as `messages[2].content[0].type`
 */
export function parseMessages(value: unknown): readonly ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw invalid("messages", "must be a list with at least one message");
  }
  return value.map((message: unknown, index) => parseMessage(message, `messages[${index}]`));
}

function parseMessage(message: unknown, where: string): ChatMessage {
  if (!isObject(message)) throw invalid(where, "must be an object with a role");
  const { role, content } = message;
  if (typeof role !== "string" || !roles.has(role)) {
    throw invalid(`${where}.role`, `must be one of ${[...roles].join(", ")}`);
  }
  const toolCalls = parseToolCalls(message["tool_calls"], `${where}.tool_calls`);
  if (role === "tool" && typeof message["tool_call_id"] !== "string") {
    throw invalid(`${where}.tool_call_id`, "is required, the id of the call that this answers");
  }
  const mayBeEmpty = role === "assistant" || role === "function";
  if ((content === null || content === undefined) && !mayBeEmpty) {
    throw invalid(`${where}.content`, "is required");
  }
  return { role, toolCalls, ...parseContent(content, `${where}.content`) };
}

function parseToolCalls(value: unknown, where: string): ChatMessage["toolCalls"] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(where, "must be a list of tool calls");
  return value.map((call: unknown, index) => {
    const callAt = `${where}[${index}]`;
    if (!isObject(call)) throw invalid(callAt, "must be an object");
    if (typeof call["id"] !== "string") throw invalid(`${callAt}.id`, "must be a string");
    const called = call["function"];
    if (!isObject(called)) throw invalid(`${callAt}.function`, "must have a name and arguments");
    const { name, arguments: given } = called;
    if (typeof name !== "string") throw invalid(`${callAt}.function.name`, "must be a string");
    if (typeof given !== "string") {
      throw invalid(`${callAt}.function.arguments`, "must be a string with JSON in it");
    }
    return { name, arguments: given };
  });
}

function parseContent(content: unknown, where: string): Pick<ChatMessage, "text" | "media"> {
  if (typeof content === "string") return { text: content, media: [] };
  if (content === null || content === undefined) return { text: "", media: [] };
  if (!Array.isArray(content)) throw invalid(where, "must be a string or a list of parts");
  const texts: string[] = [];
  const media: MessageMedia[] = [];
  content.forEach((part: unknown, index) => {
    const partAt = `${where}[${index}]`;
    if (!isObject(part)) throw invalid(partAt, "must be an object with a type");
    const found = parsePart(part, partAt);
    if (typeof found === "string") texts.push(found);
    else media.push(found);
  });
  return { text: texts.join("\n"), media };
}

function parsePart(part: Readonly<Record<string, unknown>>, where: string): string | MessageMedia {
  switch (part["type"]) {
    case "text":
      return requireText(part["text"], `${where}.text`);
    case "refusal":
      return requireText(part["refusal"], `${where}.refusal`);
    case "image_url":
      return { kind: "image", url: linkUrl(part["image_url"], `${where}.image_url`), where };
    case "video_url":
      return { kind: "video", url: linkUrl(part["video_url"], `${where}.video_url`), where };
    case "input_audio":
      return { kind: "audio", url: audioUrl(part["input_audio"], `${where}.input_audio`), where };
    case "file":
      return { kind: "file", url: fileUrl(part["file"], `${where}.file`), where };
    default:
      throw invalid(
        `${where}.type`,
        "is not one that is supported (text, image_url, input_audio, video_url, file)",
      );
  }
}

/** `{url}` as OpenAI has it, or the URL itself as many write it. */
function linkUrl(link: unknown, where: string): string {
  return isObject(link) ? requireText(link["url"], `${where}.url`) : requireText(link, where);
}

function audioUrl(audio: unknown, where: string): string {
  if (!isObject(audio)) throw invalid(where, "must have data and format");
  const data = requireText(audio["data"], `${where}.data`);
  if (/^(?:data|https?):/.test(data)) return data;
  const format = requireText(audio["format"], `${where}.format`);
  return `data:audio/${format === "mp3" ? "mpeg" : format};base64,${data}`;
}

function fileUrl(file: unknown, where: string): string {
  if (!isObject(file)) throw invalid(where, "must have file_data");
  const data = requireText(file["file_data"], `${where}.file_data`);
  return /^(?:data|https?):/.test(data) ? data : `data:application/octet-stream;base64,${data}`;
}

function requireText(value: unknown, where: string): string {
  if (typeof value !== "string") throw invalid(where, "must be a string");
  return value;
}

function invalid(parameter: string, message: string): GatewayError {
  return new GatewayError("invalid_request", `${parameter} ${message}.`, { parameter });
}
