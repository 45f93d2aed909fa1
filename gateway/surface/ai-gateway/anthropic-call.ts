import { isObject } from "../../http/body.ts";
import type { Input } from "../../prediction/start.ts";

/** Content parts and tools that only Anthropic's shape has. */
const ownParts: ReadonlySet<unknown> = new Set([
  "text",
  "image",
  "document",
  "thinking",
  "tool_use",
  "tool_result",
]);

/**
 * Whether the inputs of a call are a request in Anthropic's own shape. On Cloudflare `anthropic/…` is the one author whose
 * models take and answer their maker's shape behind `AI.run`, and the AI SDK's plugin for it sends nothing else; a plain
 * chat with texts is answered as every other model's.
 */
export function isAnthropicCall(model: string, inputs: Input): boolean {
  const { max_tokens: limit, messages, system, tools } = inputs;
  if (!model.startsWith("anthropic/") || typeof limit !== "number" || !Array.isArray(messages)) {
    return false;
  }
  const contents = messages.map((message: unknown) =>
    isObject(message) ? message["content"] : undefined,
  );
  const lists = contents.filter((content) => Array.isArray(content));
  const isOwn = lists.flat().every((part) => isObject(part) && ownParts.has(part["type"]));
  const hasOwnTools =
    Array.isArray(tools) && tools.some((tool) => isObject(tool) && "input_schema" in tool);
  return isOwn && (lists.length > 0 || system !== undefined || hasOwnTools);
}
