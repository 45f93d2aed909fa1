import { GatewayError } from "../../../errors.ts";
import { isObject } from "../../../http/body.ts";
import type { ProviderCall } from "../adapter.ts";
import {
  readAnswerFormat,
  readConversation,
  readTools,
  takeOnly,
  type Turn,
  type TurnPart,
} from "./chat-turns.ts";
import { given, Inputs } from "./inputs.ts";

type Body = Readonly<Record<string, unknown>>;

const inputNames: ReadonlySet<string> = new Set([
  "messages",
  "prompt",
  "system_prompt",
  "max_tokens",
  "temperature",
  "top_p",
  "top_k",
  "frequency_penalty",
  "presence_penalty",
  "seed",
  "stop",
  "tools",
  "tool_choice",
  "response_format",
  "reasoning_effort",
]);

/** The body of `generateContent`. @throws `GatewayError` `unsupported_parameter`, `invalid_input` */
export async function geminiChatBody(call: ProviderCall): Promise<Body> {
  takeOnly(call, inputNames);
  const { system, turns } = readConversation(call);
  const contents = await Promise.all(turns.map((turn) => contentOf(call, turn)));
  return given({
    contents,
    systemInstruction: system === undefined ? undefined : { parts: [{ text: system }] },
    ...toolFields(call),
    generationConfig: generationConfig(call),
  });
}

async function contentOf(call: ProviderCall, { role, parts }: Turn): Promise<Body> {
  const written = await Promise.all(parts.map((part) => geminiPart(call, part)));
  if (role === "assistant" && generationOf(call.model) >= 3) signCalls(written);
  return { role: role === "assistant" ? "model" : "user", parts: written };
}

/** A part of the conversation; files go along as data. */
export async function geminiPart(
  call: ProviderCall,
  part: TurnPart,
): Promise<Record<string, unknown>> {
  switch (part.type) {
    case "text":
      return { text: part.text };
    case "call":
      return { functionCall: { id: part.id, name: part.name, args: part.arguments } };
    case "result":
      return {
        functionResponse: { id: part.id, name: part.name, response: responseOf(part.text) },
      };
    default: {
      const { contentType, bytes } = await call.http.file(part.uri);
      return { inlineData: { mimeType: contentType, data: bytes.toString("base64") } };
    }
  }
}

/** What the API takes for a call whose signature is not at hand: chats in OpenAI's shape have no place for one. */
const noSignature = "skip_thought_signature_validator";

/** From its third generation on Gemini wants its first call of a turn back with the signature of its thoughts. */
function signCalls(parts: readonly Record<string, unknown>[]): void {
  const first = parts.find((part) => part["functionCall"] !== undefined);
  if (first !== undefined) first["thoughtSignature"] = noSignature;
}

/** An object, as the API wants it. */
function responseOf(text: string): Body {
  try {
    const parsed: unknown = JSON.parse(text);
    if (isObject(parsed)) return parsed;
  } catch {
    // Plain text.
  }
  return { result: text };
}

function toolFields(call: ProviderCall): Body {
  const { tools, choice } = readTools(call);
  if (tools.length === 0) return {};
  const functionDeclarations = tools.map(({ name, description, parameters }) =>
    given({ name, description, parametersJsonSchema: parameters }),
  );
  const config = ((): Body | undefined => {
    if (choice === undefined || choice === "auto") return undefined;
    if (choice === "none") return { mode: "NONE" };
    if (choice === "required") return { mode: "ANY" };
    return { mode: "ANY", allowedFunctionNames: [choice.name] };
  })();
  return given({
    tools: [{ functionDeclarations }],
    toolConfig: config === undefined ? undefined : { functionCallingConfig: config },
  });
}

function generationConfig(call: ProviderCall): Body | undefined {
  const input = new Inputs(call);
  const stop = input.texts("stop");
  const format = readAnswerFormat(call);
  const config = given({
    temperature: input.number("temperature"),
    topP: input.number("top_p"),
    topK: input.number("top_k"),
    maxOutputTokens: input.number("max_tokens"),
    stopSequences: stop.length === 0 ? undefined : stop,
    presencePenalty: input.number("presence_penalty"),
    frequencyPenalty: input.number("frequency_penalty"),
    seed: input.number("seed"),
    responseMimeType: format.kind === "json" ? "application/json" : undefined,
    responseJsonSchema: format.kind === "json" ? format.schema : undefined,
    thinkingConfig: thinkingConfig(call, input.text("reasoning_effort")),
  });
  return Object.keys(config).length === 0 ? undefined : config;
}

/** Thinking of the second generation is bounded by tokens, that of later ones by a level. */
const thinking: Readonly<Record<string, { readonly level: string; readonly budget: number }>> = {
  none: { level: "MINIMAL", budget: 0 },
  minimal: { level: "MINIMAL", budget: 512 },
  low: { level: "LOW", budget: 1_024 },
  medium: { level: "MEDIUM", budget: 8_192 },
  high: { level: "HIGH", budget: 24_576 },
  xhigh: { level: "HIGH", budget: 24_576 },
  max: { level: "HIGH", budget: 24_576 },
};

function thinkingConfig(call: ProviderCall, effort: string | undefined): Body | undefined {
  if (effort === undefined) return undefined;
  const chosen = thinking[effort];
  if (chosen === undefined) {
    throw new GatewayError("invalid_input", `reasoning_effort must not be ${effort}.`, {
      parameter: "reasoning_effort",
    });
  }
  const bound =
    generationOf(call.model) >= 3
      ? { thinkingLevel: chosen.level }
      : { thinkingBudget: chosen.budget };
  return { ...bound, ...(effort === "none" ? {} : { includeThoughts: true }) };
}

/** 3 for `gemini-3.5-flash`; 0 for other models. */
function generationOf(model: string): number {
  return Number(/^gemini-(\d+)/.exec(model)?.[1] ?? 0);
}
