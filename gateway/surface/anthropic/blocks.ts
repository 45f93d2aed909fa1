import { GatewayError } from "../../errors.ts";
import { isObject } from "../../http/body.ts";

type Block = Readonly<Record<string, unknown>>;

/** One message of Anthropic's as the messages of OpenAI's that say the same. */
export function toChatMessages(message: unknown, where: string): readonly Block[] {
  if (!isObject(message)) throw invalid(where, "must be an object with a role and content");
  const { role, content } = message;
  if (role !== "user" && role !== "assistant" && role !== "system") {
    throw invalid(`${where}.role`, "must be user or assistant");
  }
  if (typeof content === "string") return [{ role, content }];
  const blocks = readBlocks(content, `${where}.content`);
  if (role === "assistant") return [assistantMessage(blocks)];
  const results = blocks.flatMap(({ block, at }) =>
    block["type"] === "tool_result" ? [toolResult(block, at)] : [],
  );
  const parts = blocks.flatMap(({ block, at }) =>
    block["type"] === "tool_result" ? resultMedia(block, at) : [toPart(block, at)],
  );
  return [...results, ...(parts.length === 0 ? [] : [{ role, content: parts }])];
}

/** The text of a `system` prompt: a string or a list of text blocks. */
export function systemText(system: unknown): string {
  if (system === undefined || system === null) return "";
  if (typeof system === "string") return system;
  return readBlocks(system, "system")
    .map(({ block, at }) => requireText(block["text"], `${at}.text`))
    .join("\n\n");
}

interface Located {
  readonly block: Block;
  readonly at: string;
}

function readBlocks(content: unknown, where: string): readonly Located[] {
  if (!Array.isArray(content)) throw invalid(where, "must be a string or a list of blocks");
  return content.map((block: unknown, index) => {
    const at = `${where}[${index}]`;
    if (!isObject(block) || typeof block["type"] !== "string") {
      throw invalid(`${at}.type`, "must be a string");
    }
    return { block, at };
  });
}

/** Thinking of earlier turns is not said again: no other model can check its signature. */
function assistantMessage(blocks: readonly Located[]): Block {
  const texts: string[] = [];
  const calls: Block[] = [];
  for (const { block, at } of blocks) {
    switch (block["type"]) {
      case "text":
        texts.push(requireText(block["text"], `${at}.text`));
        break;
      case "tool_use":
        calls.push(toolCall(block, at));
        break;
      case "thinking":
      case "redacted_thinking":
        break;
      default:
        throw invalid(`${at}.type`, "is not one that an assistant's message can have here");
    }
  }
  const content = texts.join("");
  return {
    role: "assistant",
    content: content === "" && calls.length > 0 ? null : content,
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

function toolCall(block: Block, at: string): Block {
  const { input } = block;
  if (!isObject(input)) throw invalid(`${at}.input`, "must be an object");
  return {
    id: requireText(block["id"], `${at}.id`),
    type: "function",
    function: {
      name: requireText(block["name"], `${at}.name`),
      arguments: JSON.stringify(input),
    },
  };
}

function toolResult(block: Block, at: string): Block {
  const { content } = block;
  const id = requireText(block["tool_use_id"], `${at}.tool_use_id`);
  return { role: "tool", tool_call_id: id, content: resultText(content, `${at}.content`) };
}

function resultText(content: unknown, where: string): string {
  if (content === undefined || content === null) return "";
  if (typeof content === "string") return content;
  const texts = readBlocks(content, where).flatMap(({ block, at }) =>
    block["type"] === "text" ? [requireText(block["text"], `${at}.text`)] : [],
  );
  return texts.join("\n");
}

/** Pictures in a tool's result: OpenAI's tool messages hold text only, so the user shows them. */
function resultMedia(block: Block, at: string): readonly Block[] {
  const { content } = block;
  if (!Array.isArray(content)) return [];
  return readBlocks(content, `${at}.content`).flatMap((located) =>
    located.block["type"] === "text" ? [] : [toPart(located.block, located.at)],
  );
}

function toPart(block: Block, at: string): Block {
  switch (block["type"]) {
    case "text":
      return { type: "text", text: requireText(block["text"], `${at}.text`) };
    case "image":
      return {
        type: "image_url",
        image_url: { url: sourceUrl(block["source"], `${at}.source`) },
      };
    case "document":
      return documentPart(block, at);
    default:
      throw invalid(
        `${at}.type`,
        "is not one that is supported (text, image, document, tool_use, tool_result, thinking)",
      );
  }
}

function documentPart(block: Block, at: string): Block {
  const { source, title } = block;
  if (isObject(source) && source["type"] === "text") {
    return { type: "text", text: requireText(source["data"], `${at}.source.data`) };
  }
  const filename = typeof title === "string" ? title : "document";
  return { type: "file", file: { filename, file_data: sourceUrl(source, `${at}.source`) } };
}

function sourceUrl(source: unknown, where: string): string {
  if (!isObject(source)) throw invalid(where, "must be an object");
  if (source["type"] === "url") return requireText(source["url"], `${where}.url`);
  if (source["type"] !== "base64") throw invalid(`${where}.type`, "must be base64 or url");
  const mediaType = requireText(source["media_type"], `${where}.media_type`);
  return `data:${mediaType};base64,${requireText(source["data"], `${where}.data`)}`;
}

function requireText(value: unknown, where: string): string {
  if (typeof value !== "string") throw invalid(where, "must be a string");
  return value;
}

/** @returns the error for what is wrong with a request, led by its path as Anthropic's messages are */
export function invalid(parameter: string, message: string): GatewayError {
  return new GatewayError("invalid_request", `${parameter}: ${message}.`, { parameter });
}
