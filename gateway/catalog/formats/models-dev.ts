import type { CatalogEntry, Modality } from "../entry.ts";
import { nameOf } from "../view.ts";
import { modalitiesOf } from "./openrouter.ts";
import { priceOf } from "./price.ts";

/** One provider of models.dev's `api.json`: readers of that list find byom's models by it. */
export interface ModelsDevBlock {
  readonly id: "byom";
  readonly name: "byom";
  readonly env: readonly ["BYOM_API_KEY"];
  readonly npm: "@ai-sdk/openai-compatible";
  readonly api: string;
  readonly doc: string;
  readonly models: Readonly<Record<string, ModelsDevModel>>;
}

export interface ModelsDevModel {
  readonly id: string;
  readonly name: string;
  readonly attachment: boolean;
  readonly reasoning: boolean;
  readonly tool_call: boolean;
  readonly structured_output: boolean;
  readonly temperature: boolean;
  readonly release_date: string;
  readonly last_updated: string;
  readonly modalities: { readonly input: readonly string[]; readonly output: readonly string[] };
  readonly open_weights: boolean;
  readonly limit: { readonly context: number; readonly output: number };
  /** US dollars for a million tokens. */
  readonly cost?: { readonly input: number; readonly output: number; readonly cache_read?: number };
}

/** Only models that chat: the list has no others' shapes. */
export function modelsDevBlock(
  entries: readonly CatalogEntry[],
  options: { readonly apiUrl: string },
): ModelsDevBlock {
  const models = entries
    .filter(({ task }) => task === "text-generation")
    .map((entry) => [entry.id, modelsDevModel(entry)] as const);
  return {
    id: "byom",
    name: "byom",
    env: ["BYOM_API_KEY"],
    npm: "@ai-sdk/openai-compatible",
    api: options.apiUrl,
    doc: `${options.apiUrl.replace(/\/v1$/, "")}/models`,
    models: Object.fromEntries(models),
  };
}

function modelsDevModel(entry: CatalogEntry): ModelsDevModel {
  const { capabilities = [], contextLength = 0, maxOutputTokens = 0 } = entry;
  const { input, output } = modalitiesOf(entry);
  const date = entry.createdAt.slice(0, 10);
  const cost = costOf(entry);
  return {
    id: entry.id,
    name: nameOf(entry),
    attachment: input.some((modality) => modality !== "text"),
    reasoning: capabilities.includes("reasoning"),
    tool_call: capabilities.includes("tools"),
    structured_output: capabilities.includes("json"),
    temperature: true,
    release_date: date,
    last_updated: entry.facts?.asOf ?? date,
    modalities: { input: input.map(modalityName), output: output.map(modalityName) },
    open_weights: entry.origin === undefined,
    limit: { context: contextLength, output: maxOutputTokens },
    ...(cost === undefined ? {} : { cost }),
  };
}

function modalityName(modality: Modality): string {
  return modality === "file" ? "pdf" : modality;
}

function costOf(entry: CatalogEntry): ModelsDevModel["cost"] {
  const million = 1_000_000;
  const input = priceOf(entry, "input-token", million);
  const output = priceOf(entry, "output-token", million);
  if (input === undefined || output === undefined) return undefined;
  const cached = priceOf(entry, "cached-input-token", million);
  return {
    input: Number(input),
    output: Number(output),
    ...(cached === undefined ? {} : { cache_read: Number(cached) }),
  };
}
