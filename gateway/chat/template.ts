import { Template } from "@huggingface/jinja";

import { GatewayError } from "../errors.ts";
import { isObject } from "../http/body.ts";
import { bundledTemplate, bundledTemplateNames } from "./bundled-templates.ts";

/** Parsed templates in memory, one for each model that has its own; the oldest goes first. */
const parsedMax = 64;
const parsed = new Map<string, Template>();

/** Whether a template (a bundled name or Jinja text) has a place for tools. */
export function takesTools(template: string): boolean {
  return /\btools\b/.test(bundledTemplate(template) ?? template);
}

/**
 * The prompt that a chat template makes of messages. `template` is a bundled name or Jinja text as in Hugging Face's
 * `tokenizer_config.json`; `bos_token` is empty unless the variables say otherwise, as tokenizers add it themselves.
 * @throws `GatewayError`: `invalid_request` when the template refuses the messages, `upstream_failed` when it is broken
 */
export function renderChat(
  modelId: string,
  template: string,
  chat: {
    readonly messages: unknown;
    readonly tools?: unknown;
    readonly variables?: Readonly<Record<string, string>> | undefined;
  },
): string {
  const compiled = parse(modelId, bundledTemplate(template) ?? template);
  try {
    return compiled.render({
      bos_token: "",
      eos_token: "",
      ...chat.variables,
      messages: templateMessages(chat.messages),
      tools: chat.tools ?? null,
      add_generation_prompt: true,
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError(
      "invalid_request",
      `The chat template of ${modelId} refuses these messages: ${reason}.`,
      { parameter: "messages", cause },
    );
  }
}

/** @throws `Error` that says what is wrong with a template: no such name, or where its Jinja text is broken */
export function checkChatTemplate(template: string): void {
  if (bundledTemplate(template) !== undefined) return;
  if (!template.includes("{")) {
    const names = bundledTemplateNames.join(", ");
    throw new Error(`there is no chat template ${template}; the bundled ones are ${names}`);
  }
  new Template(template);
}

/**
 * Messages as templates expect them: text as one string (files go to inputs of their own), arguments of tool calls as
 * objects, and OpenAI's newer name of the system role by its older one.
 */
function templateMessages(messages: unknown): readonly unknown[] {
  if (!Array.isArray(messages)) return [];
  return messages.filter(isObject).map((message) => ({
    ...message,
    role: message["role"] === "developer" ? "system" : message["role"],
    content: contentText(message["content"]),
    ...(Array.isArray(message["tool_calls"]) && {
      tool_calls: message["tool_calls"].filter(isObject).map(templateCall),
    }),
  }));
}

function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  const texts = content.filter(isObject).map((part) => part["text"]);
  return texts.filter((text) => typeof text === "string").join("\n");
}

function templateCall(call: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const called = call["function"];
  if (!isObject(called) || typeof called["arguments"] !== "string") return call;
  try {
    return {
      ...call,
      function: { ...called, arguments: JSON.parse(called["arguments"]) as unknown },
    };
  } catch {
    return call;
  }
}

function parse(modelId: string, text: string): Template {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  let template: Template;
  try {
    template = new Template(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError(
      "upstream_failed",
      `The chat template of ${modelId} is broken: ${reason}`,
      {
        cause,
        hint: "Correct `mapping.chat_template` in its byom.yaml and push again.",
      },
    );
  }
  const [oldest] = parsed.keys();
  if (parsed.size >= parsedMax && oldest !== undefined) parsed.delete(oldest);
  parsed.set(text, template);
  return template;
}
