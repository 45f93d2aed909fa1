import { GatewayError } from "../../../errors.ts";
import { isObject } from "../../../http/body.ts";

/** One item of a conversation, in the Responses API's shape. */
export type Item = Readonly<Record<string, unknown>>;

/** Items of one request; a conversation that is longer goes on with `previous_response_id`. */
const itemsMax = 4096;

/** Finds an item of an earlier response by its id. */
export type FindItem = (id: string) => Item | undefined;

/**
 * The items of a request's `input`, in full form: with an id, and contents as lists of parts.
 * @throws `GatewayError` `invalid_request` with the path of what is wrong; `unsupported_parameter`
 */
export function parseInput(
  input: unknown,
  options: { readonly predictionId: string; readonly findItem: FindItem },
): readonly Item[] {
  const given = typeof input === "string" ? [{ role: "user", content: input }] : input;
  if (!Array.isArray(given) || given.length === 0) {
    throw invalid("input", "must be a text or a list of items, not an empty one");
  }
  if (given.length > itemsMax) throw invalid("input", `has more than ${itemsMax} items`);
  return given.map((item: unknown, index) => {
    const where = `input[${index}]`;
    const parsed = parseItem(item, where, options.findItem);
    const prefix = idPrefixes[String(parsed["type"])] ?? "item";
    return { id: `${prefix}_${options.predictionId}_in${index}`, ...parsed };
  });
}

/** What the ids of items begin with. */
export const idPrefixes: Readonly<Record<string, string>> = {
  message: "msg",
  reasoning: "rs",
  function_call: "fc",
  function_call_output: "fco",
};

/** The prediction in whose response an item stands, by the item's id. */
export function predictionOfItem(id: string): string | undefined {
  return /^(?:msg|rs|fc|fco)_([A-Za-z0-9-]+)_(?:in)?\d+$/.exec(id)?.[1];
}

function parseItem(item: unknown, where: string, findItem: FindItem): Item {
  if (!isObject(item)) throw invalid(where, "must be an object");
  const type = item["type"] ?? (item["role"] === undefined ? undefined : "message");
  switch (type) {
    case "message":
      return parseMessage(item, where);
    case "function_call":
      return {
        ...knownId(item),
        type,
        status: "completed",
        call_id: requireText(item["call_id"], `${where}.call_id`),
        name: requireText(item["name"], `${where}.name`),
        arguments: requireText(item["arguments"], `${where}.arguments`),
      };
    case "function_call_output":
      return {
        ...knownId(item),
        type,
        status: "completed",
        call_id: requireText(item["call_id"], `${where}.call_id`),
        output: parseCallOutput(item["output"], `${where}.output`),
      };
    case "reasoning":
      return { summary: [], ...item };
    case "item_reference": {
      const id = requireText(item["id"], `${where}.id`);
      const found = findItem(id);
      if (found === undefined) throw invalid(where, `refers to ${id}, which is not stored here`);
      return found;
    }
    default:
      throw new GatewayError(
        "unsupported_parameter",
        `${where} is of the type ${JSON.stringify(type)}; message, function_call, function_call_output, reasoning and item_reference are taken.`,
        { parameter: where },
      );
  }
}

const roles: ReadonlySet<unknown> = new Set(["user", "assistant", "system", "developer"]);

function parseMessage(item: Item, where: string): Item {
  const { role, content } = item;
  if (!roles.has(role)) {
    throw invalid(`${where}.role`, "must be user, assistant, system or developer");
  }
  const textType = role === "assistant" ? "output_text" : "input_text";
  const parts: unknown =
    typeof content === "string" ? [{ type: textType, text: content }] : content;
  if (!Array.isArray(parts)) throw invalid(`${where}.content`, "must be a text or a list of parts");
  parts.forEach((part: unknown, index) => {
    // Only to find what is wrong: the part itself is kept as it came.
    chatPart(part, { where: `${where}.content[${index}]`, fileUrl: (id) => id });
  });
  const full = role === "assistant" ? parts.map(withAnnotations) : parts;
  return { ...knownId(item), type: "message", status: "completed", role, content: full };
}

function withAnnotations(part: unknown): unknown {
  return isObject(part) && part["type"] === "output_text" ? { annotations: [], ...part } : part;
}

function knownId(item: Item): Item {
  return typeof item["id"] === "string" ? { id: item["id"] } : {};
}

function parseCallOutput(output: unknown, where: string): unknown {
  if (typeof output === "string") return output;
  if (!Array.isArray(output)) throw invalid(where, "must be a text or a list of texts");
  return output.map((part: unknown, index) => {
    if (isObject(part) && part["type"] === "input_text" && typeof part["text"] === "string") {
      return part;
    }
    throw invalid(`${where}[${index}]`, "must be an input_text: a tool's answer is text");
  });
}

export interface PartOptions {
  readonly where: string;
  /** The URL of an uploaded file. */
  readonly fileUrl: (fileId: string) => string;
}

/**
 * A conversation as messages of a chat. Calls of an assistant stand in its message, what it thought is left out.
 */
export function chatMessages(
  items: readonly Item[],
  fileUrl: PartOptions["fileUrl"],
): readonly Item[] {
  const messages: Item[] = [];
  for (const item of items) {
    switch (item["type"]) {
      case "message":
        messages.push({
          role: item["role"],
          content: chatContent(item["content"] as readonly unknown[], fileUrl),
        });
        break;
      case "function_call":
        addCall(messages, item);
        break;
      case "function_call_output":
        messages.push({
          role: "tool",
          tool_call_id: item["call_id"],
          content: callOutputText(item["output"]),
        });
        break;
      default:
    }
  }
  return messages;
}

/** Calls that follow an assistant's message, or each other, are one message. */
function addCall(messages: Item[], item: Item): void {
  const call = {
    id: item["call_id"],
    type: "function",
    function: { name: item["name"], arguments: item["arguments"] },
  };
  const last = messages.at(-1);
  if (last?.["role"] !== "assistant") {
    messages.push({ role: "assistant", content: null, tool_calls: [call] });
    return;
  }
  const calls = (last["tool_calls"] ?? []) as readonly unknown[];
  messages[messages.length - 1] = { ...last, tool_calls: [...calls, call] };
}

/** Texts alone are one text, so that a model without parts takes them. */
function chatContent(parts: readonly unknown[], fileUrl: PartOptions["fileUrl"]): unknown {
  const chat = parts.map((part, index) => chatPart(part, { where: `content[${index}]`, fileUrl }));
  const texts = chat.flatMap((part) => (part["type"] === "text" ? [String(part["text"])] : []));
  return texts.length === chat.length ? texts.join("\n") : chat;
}

function chatPart(part: unknown, { where, fileUrl }: PartOptions): Item {
  if (!isObject(part)) throw invalid(where, "must be an object with a type");
  switch (part["type"]) {
    case "input_text":
    case "output_text":
    case "text":
      return { type: "text", text: requireText(part["text"], `${where}.text`) };
    case "refusal":
      return { type: "text", text: requireText(part["refusal"], `${where}.refusal`) };
    case "input_image": {
      const { image_url: url, file_id: fileId, detail } = part;
      const link =
        typeof fileId === "string" ? fileUrl(fileId) : requireText(url, `${where}.image_url`);
      const wish = typeof detail === "string" ? { detail } : {};
      return { type: "image_url", image_url: { url: link, ...wish } };
    }
    case "input_audio":
      if (!isObject(part["input_audio"])) throw invalid(`${where}.input_audio`, "is required");
      return { type: "input_audio", input_audio: part["input_audio"] };
    case "input_file": {
      const { file_id: fileId, file_data: data, file_url: url, filename } = part;
      const content =
        typeof fileId === "string"
          ? fileUrl(fileId)
          : requireText(data ?? url, `${where}.file_data`);
      const name = typeof filename === "string" ? { filename } : {};
      return { type: "file", file: { file_data: content, ...name } };
    }
    default:
      throw invalid(
        `${where}.type`,
        "is not one that is supported (input_text, output_text, refusal, input_image, input_audio, input_file)",
      );
  }
}

function callOutputText(output: unknown): string {
  if (typeof output === "string") return output;
  const parts = output as readonly { readonly text: string }[];
  return parts.map(({ text }) => text).join("\n");
}

function requireText(value: unknown, where: string): string {
  if (typeof value === "string") return value;
  throw invalid(where, "must be a text");
}

function invalid(parameter: string, message: string): GatewayError {
  return new GatewayError("invalid_request", `${parameter} ${message}.`, { parameter });
}
