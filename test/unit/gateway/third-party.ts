import type { CatalogEntry } from "../../../gateway/index.ts";
import { standardShape } from "../../../gateway/catalog/standard-schemas.ts";
import { openAiCompatible } from "../../../gateway/upstream/provider/adapters/openai-compatible.ts";
import type { Providers } from "../../../gateway/upstream/provider/providers.ts";
import { fail, startProviderDouble, type ProviderDouble } from "../../support/provider-double.ts";
import {
  answerCompatibleChat,
  answerCompatibleEmbeddings,
  compatibleChat,
  compatibleEmbeddings,
} from "./upstream/provider/doubles/openai-chat-part.ts";

// A third party for tests of surfaces: an OpenAI-compatible provider called `moonshot`, and entries that it serves.

export const moonshotKey = "sk-moonshot";

/** Says "Hi you" to every chat. */
export function startMoonshot(): Promise<ProviderDouble> {
  return startProviderDouble({
    basePath: "/v1",
    key: { authorization: `Bearer ${moonshotKey}` },
    routes: [
      {
        method: "POST",
        path: "/chat/completions",
        body: compatibleChat,
        answer: answerCompatibleChat,
      },
      {
        method: "POST",
        path: "/embeddings",
        body: compatibleEmbeddings,
        answer: answerCompatibleEmbeddings,
      },
    ],
    refuse: ({ status, message }) => fail(status, { error: { message } }),
  });
}

export function moonshotProviders(double: ProviderDouble): Providers {
  const provider = {
    name: "moonshot",
    adapter: openAiCompatible,
    baseUrl: double.baseUrl,
    key: moonshotKey,
  };
  return {
    get: (name) => (name === provider.name ? provider : undefined),
    list: () => [provider],
  };
}

function entry(id: string, model: string): CatalogEntry {
  const { inputSchema, outputSchema, isStreaming, requestFormats } =
    standardShape("text-generation");
  return {
    id,
    description: "A large language model",
    task: "text-generation",
    inputSchema,
    outputSchema,
    isStreaming,
    requestFormats,
    hardware: "",
    version: 1,
    digest: `sha256:${"ef".repeat(32)}`,
    createdAt: "2026-11-01T00:00:00.000Z",
    upstreams: [{ kind: "provider", provider: "moonshot", model }],
  };
}

export const kimi: CatalogEntry = entry("@cf/moonshotai/kimi-k2.5", "kimi-k2.5");
export const kimiDirect: CatalogEntry = entry("moonshot/kimi-k2.5", "kimi-k2.5");
