import { Agent, request } from "undici";

import { isObject } from "../http/body.ts";
import { readText } from "../http/read-text.ts";
import { createGuardedDispatcher, isRefusedTarget } from "../http/url-guard.ts";
import type { AdapterId } from "../upstream/provider/adapter.ts";
import { providerMessage, redact } from "../upstream/provider/failure.ts";
import type { Provider } from "../upstream/provider/providers.ts";
import { requestUrl } from "../upstream/provider/url.ts";

/** What a provider said to a question that costs nothing. */
export interface ProviderProbe {
  readonly name: string;
  readonly url: string;
  readonly isReachable: boolean;
  /** Absent: the provider has nothing to ask that would tell. */
  readonly isKeyAccepted?: boolean;
  readonly status?: number;
  /** The names of its models, if it lists them. */
  readonly models?: readonly string[];
  readonly message?: string;
  readonly durationMs: number;
}

/** One list fits with room to spare; a provider that sends more is cut off. */
const answerBytesMax: number = 32 * 1024 * 1024;
const timeoutMs = 15_000;

interface Question {
  readonly path: (baseUrl: string) => string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the answer is a list of models. */
  readonly listsModels?: boolean;
}

const openAiList: Question = { path: () => "/models", listsModels: true };

/** What each provider answers for free to a key that it takes; where there is nothing, only the connection is tried. */
const questions: Readonly<Partial<Record<AdapterId, Question>>> = {
  "openai-compatible": openAiList,
  openai: openAiList,
  google: openAiList,
  anthropic: {
    path: (baseUrl) => (baseUrl.endsWith("/v1") ? "/models" : "/v1/models"),
    headers: { "anthropic-version": "2023-06-01" },
    listsModels: true,
  },
  alibaba: { path: () => "/compatible-mode/v1/models", listsModels: true },
  "workers-ai": {
    path: (baseUrl) => (baseUrl.endsWith("/ai") ? "/models/search" : "/ai/models/search"),
    listsModels: true,
  },
  replicate: { path: (baseUrl) => (baseUrl.endsWith("/v1") ? "/account" : "/v1/account") },
  recraft: { path: () => "/users/me" },
  runway: { path: () => "/organization", headers: { "x-runway-version": "2024-11-06" } },
  vidu: { path: () => "/credits" },
  pixverse: { path: () => "/account/balance" },
  assemblyai: { path: () => "/transcript?limit=1" },
  inworld: { path: () => "/tts/v1/voices" },
};

/** Asks a provider the question of its kind, with the operator's key. Never throws for what the provider does. */
export async function probeProvider(
  provider: Provider,
  options: { readonly allowPrivate: boolean; readonly signal: AbortSignal },
): Promise<ProviderProbe> {
  const { name, adapter, baseUrl, key } = provider;
  const question = questions[adapter.id];
  const url = requestUrl(baseUrl, question?.path(baseUrl) ?? "/");
  const startedAt = performance.now();
  const common = { name, url: url.href };
  const dispatcher = options.allowPrivate ? new Agent() : createGuardedDispatcher();
  try {
    const response = await request(url, {
      dispatcher,
      headers: {
        accept: "application/json",
        ...question?.headers,
        ...provider.headers,
        ...(key === undefined ? {} : adapter.authorize(key)),
      },
      signal: AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]),
    });
    const { statusCode: status } = response;
    const body = await readJson(response.body);
    const durationMs = Math.round(performance.now() - startedAt);
    const isOk = status >= 200 && status < 300;
    const models = isOk && question?.listsModels === true ? modelNames(body) : undefined;
    const message = isOk ? "" : redact(providerMessage(body), key);
    return {
      ...common,
      isReachable: true,
      ...verdict(status, question !== undefined),
      status,
      ...(models === undefined ? {} : { models }),
      ...(isOk ? {} : { message: message === "" ? `it answered ${status}` : message }),
      durationMs,
    };
  } catch (error) {
    options.signal.throwIfAborted();
    return {
      ...common,
      isReachable: false,
      message: describeFailure(error),
      durationMs: Math.round(performance.now() - startedAt),
    };
  } finally {
    void dispatcher.destroy();
  }
}

function verdict(status: number, isQuestion: boolean): Pick<ProviderProbe, "isKeyAccepted"> {
  if (status === 401 || status === 403) return { isKeyAccepted: false };
  return isQuestion && status >= 200 && status < 300 ? { isKeyAccepted: true } : {};
}

function describeFailure(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") {
    return `it did not answer within ${timeoutMs} ms`;
  }
  if (isRefusedTarget(error)) return (error as Error).message;
  const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
  return `it cannot be reached${code}`;
}

async function readJson(body: AsyncIterable<Buffer>): Promise<unknown> {
  const text = await readText(body, { bytesMax: answerBytesMax });
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** OpenAI and Anthropic (`data[].id`), Google (`models[].name`), Cloudflare (`result[].name`). */
function modelNames(body: unknown): readonly string[] | undefined {
  if (!isObject(body)) return undefined;
  const list = body["data"] ?? body["models"] ?? body["result"];
  if (!Array.isArray(list)) return undefined;
  return (list as readonly unknown[]).flatMap((model) => {
    if (!isObject(model)) return [];
    const name = body["data"] === undefined ? model["name"] : model["id"];
    return typeof name === "string" ? [name.replace(/^models\//, "")] : [];
  });
}
