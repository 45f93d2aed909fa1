import { parseMessages } from "../../../chat/messages.ts";
import { GatewayError } from "../../../errors.ts";
import { isObject } from "../../../http/body.ts";
import type { ProviderCall } from "../adapter.ts";
import { at, listAt, textAt } from "./answer.ts";
import { chatMessages } from "./openai-input.ts";

/** One thing that was said, in no provider's words. */
export type TurnPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image" | "audio" | "video" | "file"; readonly uri: string }
  | {
      readonly type: "call";
      readonly id: string;
      readonly name: string;
      readonly arguments: Readonly<Record<string, unknown>>;
    }
  | {
      readonly type: "result";
      readonly id: string;
      /** Of the function that was called. */
      readonly name: string;
      readonly text: string;
    };

export interface Turn {
  readonly role: "user" | "assistant";
  readonly parts: readonly TurnPart[];
}

export interface Conversation {
  /** All system and developer messages. */
  readonly system: string | undefined;
  /** User and assistant by turns: neighbours of one role are one turn. */
  readonly turns: readonly Turn[];
}

/**
 * The conversation of a chat call, for providers whose messages are not OpenAI's.
 * @throws `GatewayError` `invalid_request` for messages that are not OpenAI's
 */
export function readConversation(call: ProviderCall): Conversation {
  const messages = chatMessages(call.input);
  parseMessages(messages);
  const system: string[] = [];
  const turns: { role: Turn["role"]; parts: TurnPart[] }[] = [];
  const names = new Map<string, string>();
  for (const message of messages) {
    const role = textAt(message, "role");
    const content = contentParts(at(message, "content"));
    if (role === "system" || role === "developer") {
      system.push(content.map((part) => (part.type === "text" ? part.text : "")).join("\n"));
      continue;
    }
    const calls = listAt(message, "tool_calls").map(readCall);
    for (const { id, name } of calls) names.set(id, name);
    const isResult = role === "tool" || role === "function";
    const parts = isResult ? [readResult(message, content, names)] : [...content, ...calls];
    const turnRole = role === "assistant" ? "assistant" : "user";
    const last = turns.at(-1);
    if (last?.role === turnRole) last.parts.push(...parts);
    else turns.push({ role: turnRole, parts });
  }
  return { system: system.length === 0 ? undefined : system.join("\n\n"), turns };
}

function contentParts(content: unknown): TurnPart[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }];
  if (!Array.isArray(content)) return [];
  return content.flatMap((part: unknown) => readPart(part) ?? []);
}

function readPart(part: unknown): TurnPart | undefined {
  const text = textAt(part, "text") ?? textAt(part, "refusal");
  if (text !== undefined) return { type: "text", text };
  for (const type of ["image", "video"] as const) {
    const link = at(part, `${type}_url`);
    const uri = isObject(link) ? textAt(link, "url") : link;
    if (typeof uri === "string") return { type, uri };
  }
  const sound = textAt(part, "input_audio.data");
  if (sound !== undefined) {
    const format = textAt(part, "input_audio.format") ?? "wav";
    const uri = sound.startsWith("data:") ? sound : `data:audio/${format};base64,${sound}`;
    return { type: "audio", uri };
  }
  const file = textAt(part, "file.file_data") ?? textAt(part, "file.file_url");
  return file === undefined ? undefined : { type: "file", uri: file };
}

function readCall(call: unknown): Extract<TurnPart, { type: "call" }> {
  const name = textAt(call, "function.name") ?? "";
  const text = textAt(call, "function.arguments") ?? "{}";
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Models write broken JSON at times; the conversation goes on with what was said.
    parsed = { arguments: text };
  }
  const given = isObject(parsed) ? parsed : { arguments: parsed };
  return { type: "call", id: textAt(call, "id") ?? "", name, arguments: given };
}

function readResult(
  message: unknown,
  content: readonly TurnPart[],
  names: ReadonlyMap<string, string>,
): TurnPart {
  const id = textAt(message, "tool_call_id") ?? "";
  const name = textAt(message, "name") ?? names.get(id) ?? id;
  const text = content.map((part) => (part.type === "text" ? part.text : "")).join("\n");
  return { type: "result", id, name, text };
}

export interface ChatTool {
  readonly name: string;
  readonly description: string | undefined;
  /** JSON Schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ChatTools {
  readonly tools: readonly ChatTool[];
  /** `required`: any of them. */
  readonly choice: "auto" | "none" | "required" | { readonly name: string } | undefined;
}

/** The tools of a chat call. @throws `GatewayError` `unsupported_parameter` for tools that are no functions */
export function readTools(call: ProviderCall): ChatTools {
  const tools = listAt(call.input, "tools").map((tool, index): ChatTool => {
    const name = textAt(tool, "function.name");
    if (name === undefined) {
      throw new GatewayError(
        "unsupported_parameter",
        `tools[${index}] is not a function; ${call.http.provider} takes functions only.`,
        { parameter: `tools[${index}]` },
      );
    }
    const parameters = at(tool, "function.parameters");
    return {
      name,
      description: textAt(tool, "function.description"),
      parameters: isObject(parameters) ? parameters : { type: "object", properties: {} },
    };
  });
  const choice = at(call.input, "tool_choice");
  if (choice === "auto" || choice === "none" || choice === "required") return { tools, choice };
  const name = textAt(choice, "function.name") ?? textAt(choice, "name");
  return { tools, choice: name === undefined ? undefined : { name } };
}

/** What the answer must look like: any text, any JSON, or JSON of a schema. */
export type AnswerFormat =
  | { readonly kind: "text" }
  | { readonly kind: "json"; readonly schema: Readonly<Record<string, unknown>> | undefined };

export function readAnswerFormat(call: ProviderCall): AnswerFormat {
  const format = at(call.input, "response_format");
  const type = textAt(format, "type");
  if (type === undefined || type === "text") return { kind: "text" };
  const schema = at(format, "json_schema.schema") ?? at(format, "json_schema");
  return { kind: "json", schema: type === "json_schema" && isObject(schema) ? schema : undefined };
}

/** Values with which a parameter asks for what every model does anyway. */
const neutralValues: Readonly<Record<string, readonly unknown[]>> = {
  frequency_penalty: [0],
  presence_penalty: [0],
  parallel_tool_calls: [true],
};

/**
 * Refuses every input that a provider does not have; what asks for nothing may be left out.
 * @throws `GatewayError` `unsupported_parameter`
 */
export function takeOnly(call: ProviderCall, names: ReadonlySet<string>): void {
  for (const [name, value] of Object.entries(call.input)) {
    if (names.has(name) || value === undefined || value === null) continue;
    if (neutralValues[name]?.includes(value) === true) continue;
    throw new GatewayError(
      "unsupported_parameter",
      `${call.model} of ${call.http.provider} has no input for ${name}.`,
      { parameter: name },
    );
  }
}
