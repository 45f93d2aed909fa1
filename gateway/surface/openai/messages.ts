import { GatewayError } from "../../errors.ts";
import { isObject } from "../../http/body.ts";

export interface ChatMessage {
  readonly role: string;
  /** The text of all text parts. */
  readonly text: string;
  /** URLs of image parts, data URIs included. */
  readonly images: readonly string[];
}

/**
 * Reads OpenAI's `messages`.
 * @throws `GatewayError` `invalid_request` naming the message at fault
 */
export function parseMessages(value: unknown): readonly ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw invalid("messages must be a list with at least one message", "messages");
  }
  return value.map((message: unknown, index) => {
    const where = `messages[${index}]`;
    if (!isObject(message) || typeof message["role"] !== "string") {
      throw invalid(`${where} must be an object with a role`, where);
    }
    return { role: message["role"], ...parseContent(message["content"], `${where}.content`) };
  });
}

/**
 * A chat as one text, for a model that takes a plain prompt. A single user message is the prompt itself; a longer
 * chat is written turn by turn and ends where the model is to go on.
 */
export function flattenChat(
  messages: readonly ChatMessage[],
  options: { readonly hasSystemInput: boolean },
): { readonly prompt: string; readonly system: string | undefined } {
  const isSystem = ({ role }: ChatMessage): boolean => role === "system" || role === "developer";
  const systemText = messages
    .filter(isSystem)
    .map(({ text }) => text)
    .join("\n\n");
  const system = systemText === "" ? undefined : systemText;
  const turns = messages.filter((message) => !isSystem(message));
  const [only] = turns;
  const isPlain = turns.length === 1 && only?.role === "user";
  if (isPlain && (system === undefined || options.hasSystemInput))
    return { prompt: only.text, system };
  const lines = turns.map(({ role, text }) => `${speaker(role)}: ${text}`);
  if (system !== undefined && !options.hasSystemInput) lines.unshift(`System: ${system}`);
  return { prompt: [...lines, "Assistant:"].join("\n"), system };
}

function parseContent(
  content: unknown,
  where: string,
): { readonly text: string; readonly images: readonly string[] } {
  if (typeof content === "string") return { text: content, images: [] };
  if (content === null || content === undefined) return { text: "", images: [] };
  if (!Array.isArray(content)) throw invalid(`${where} must be a string or a list of parts`, where);
  const texts: string[] = [];
  const images: string[] = [];
  content.forEach((part: unknown, index) => {
    const partAt = `${where}[${index}]`;
    if (!isObject(part)) throw invalid(`${partAt} must be an object`, partAt);
    const image = isObject(part["image_url"]) ? part["image_url"]["url"] : part["image_url"];
    if (part["type"] === "text" && typeof part["text"] === "string") texts.push(part["text"]);
    else if (part["type"] === "image_url" && typeof image === "string") images.push(image);
    else
      throw invalid(`${partAt} has a type that is not supported (text and image_url are)`, partAt);
  });
  return { text: texts.join("\n"), images };
}

function speaker(role: string): string {
  if (role === "user") return "User";
  if (role === "assistant") return "Assistant";
  return role.charAt(0).toUpperCase() + role.slice(1);
}

function invalid(message: string, parameter: string): GatewayError {
  return new GatewayError("invalid_request", `${message}.`, { parameter });
}
