import type { ProviderCall } from "../adapter.ts";
import { GatewayError } from "../../../errors.ts";
import { given, Inputs } from "./inputs.ts";

/** How a server that speaks OpenAI's shapes differs from OpenAI. */
export interface OpenAiDialect {
  /** The bound of new tokens: OpenAI's reasoning models know only the newer name, most other servers only the older. */
  readonly tokenLimitName: "max_completion_tokens" | "max_tokens";
  /** Inputs beyond OpenAI's own go out under their own names; the server has the last word. */
  readonly takesMore: boolean;
}

type Body = Readonly<Record<string, unknown>>;

/** Inputs of chats that have the same name and meaning in OpenAI's API. */
const chatNames = [
  "temperature",
  "top_p",
  "frequency_penalty",
  "presence_penalty",
  "seed",
  "stop",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "response_format",
  "reasoning_effort",
] as const;

/** The body of a chat completion. @throws `GatewayError` `unsupported_parameter` for what OpenAI has no name for */
export function openAiChatBody(call: ProviderCall, dialect: OpenAiDialect): Body {
  const { messages, prompt, system_prompt, max_tokens, ...rest } = call.input;
  const body = {
    model: call.model,
    messages: chatMessages({ messages, prompt, system_prompt }),
    [dialect.tokenLimitName]: max_tokens ?? undefined,
  };
  return given({ ...body, ...namedInputs(call, rest, { names: chatNames, dialect }) });
}

/** The body of a plain completion. */
export function openAiCompletionBody(call: ProviderCall, dialect: OpenAiDialect): Body {
  const { messages, prompt, system_prompt: system, ...rest } = call.input;
  if (messages !== undefined || system !== undefined) {
    throw new GatewayError(
      "unsupported_parameter",
      `${call.model} of ${call.http.provider} takes a prompt and no messages.`,
      { parameter: messages === undefined ? "system_prompt" : "messages" },
    );
  }
  const names = [
    "max_tokens",
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "stop",
  ] as const;
  return given({ model: call.model, prompt, ...namedInputs(call, rest, { names, dialect }) });
}

/** A conversation as OpenAI has it, from messages, or from a prompt. */
export function chatMessages(input: Body): readonly unknown[] {
  const { messages, prompt, system_prompt: system } = input;
  const said = Array.isArray(messages)
    ? (messages as readonly unknown[])
    : [{ role: "user", content: prompt ?? "" }];
  return typeof system === "string" && system !== ""
    ? [{ role: "system", content: system }, ...said]
    : said;
}

/** Inputs by name; others go along, or are refused, by the dialect. */
export function namedInputs(
  call: ProviderCall,
  input: Body,
  options: { readonly names: readonly string[]; readonly dialect: OpenAiDialect },
): Body {
  if (options.dialect.takesMore) {
    return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));
  }
  const inputs = new Inputs({ ...call, input });
  for (const name of Object.keys(input)) {
    if (!options.names.includes(name)) inputs.refuse(name);
  }
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));
}
