import { isObject } from "../http/body.ts";

/** Bytes of what was said in a model's input (messages, prompt, system prompt), for an estimate of its tokens. */
export function conversationBytes(input: Readonly<Record<string, unknown>>): number {
  const said = input["messages"] ?? [input["system_prompt"], input["prompt"]];
  return textBytes(said);
}

/** Bytes of the texts in messages, their parts and their tool calls; images and audio count nothing. */
function textBytes(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + textBytes(item), 0);
  if (!isObject(value)) return 0;
  const call = value["function"];
  return (
    textBytes(value["content"]) +
    textBytes(value["text"]) +
    textBytes(value["tool_calls"]) +
    (isObject(call) ? textBytes(call["name"]) + textBytes(call["arguments"]) : 0)
  );
}
