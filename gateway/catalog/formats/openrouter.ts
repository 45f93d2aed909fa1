import type { CatalogEntry, Modality } from "../entry.ts";
import { propertiesOf } from "../validate-input.ts";
import { nameOf } from "../view.ts";
import { priceOf } from "./price.ts";

/**
 * `GET /api/v1/models` of OpenRouter (its TypeScript SDK 1.2.54), with the fields of its list for providers beside them
 * (`input_modalities`, `max_output_length`, `supported_features`, …), so that one document serves both readers.
 * Prices are strings: US dollars for one token, image or request.
 */
export interface OpenRouterModel {
  readonly id: string;
  readonly canonical_slug: string;
  readonly hugging_face_id: string;
  readonly name: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly description: string;
  readonly context_length: number | null;
  readonly architecture: {
    readonly modality: string;
    readonly input_modalities: readonly Modality[];
    readonly output_modalities: readonly Modality[];
    readonly tokenizer: string;
    readonly instruct_type: null;
  };
  readonly pricing: Readonly<Record<string, string>>;
  readonly top_provider: {
    readonly context_length: number | null;
    readonly max_completion_tokens: number | null;
    readonly is_moderated: false;
  };
  readonly per_request_limits: null;
  readonly supported_parameters: readonly string[];
  readonly default_parameters: Readonly<Record<string, never>>;
  readonly input_modalities: readonly Modality[];
  readonly output_modalities: readonly Modality[];
  readonly max_output_length: number | null;
  readonly supported_sampling_parameters: readonly string[];
  readonly supported_features: readonly string[];
}

export function openRouterModels(entries: readonly CatalogEntry[]): {
  readonly data: readonly OpenRouterModel[];
} {
  return { data: entries.map(openRouterModel) };
}

/** Chat parameters that OpenRouter names, by the input of ours that takes them. */
const parameters: readonly (readonly [name: string, inputs: readonly string[]])[] = [
  ["max_tokens", ["max_tokens", "max_new_tokens", "max_length"]],
  ["temperature", ["temperature"]],
  ["top_p", ["top_p"]],
  ["top_k", ["top_k"]],
  ["frequency_penalty", ["frequency_penalty"]],
  ["presence_penalty", ["presence_penalty"]],
  ["seed", ["seed"]],
  ["stop", ["stop", "stop_sequences"]],
  ["tools", ["tools"]],
  ["tool_choice", ["tool_choice"]],
  ["response_format", ["response_format"]],
];
const notSampling: ReadonlySet<string> = new Set(["tools", "tool_choice", "response_format"]);

function openRouterModel(entry: CatalogEntry): OpenRouterModel {
  const { input, output } = modalitiesOf(entry);
  const supported = supportedParameters(entry);
  const contextLength = entry.contextLength ?? null;
  const maxOutput = entry.maxOutputTokens ?? null;
  return {
    id: entry.id,
    canonical_slug: entry.id,
    hugging_face_id: "",
    name: nameOf(entry),
    created: Math.floor(Date.parse(entry.createdAt) / 1000),
    description: entry.description,
    context_length: contextLength,
    architecture: {
      modality: `${input.join("+")}->${output.join("+")}`,
      input_modalities: input,
      output_modalities: output,
      tokenizer: "Other",
      instruct_type: null,
    },
    pricing: pricing(entry),
    top_provider: {
      context_length: contextLength,
      max_completion_tokens: maxOutput,
      is_moderated: false,
    },
    per_request_limits: null,
    supported_parameters: supported,
    default_parameters: {},
    input_modalities: input,
    output_modalities: output,
    max_output_length: maxOutput,
    supported_sampling_parameters: supported.filter((name) => !notSampling.has(name)),
    supported_features: features(entry),
  };
}

/** What an entry takes and gives; without its word, what its task says. */
export function modalitiesOf(entry: CatalogEntry): NonNullable<CatalogEntry["modalities"]> {
  return entry.modalities ?? byTask[entry.task];
}

const byTask: Readonly<Record<CatalogEntry["task"], NonNullable<CatalogEntry["modalities"]>>> = {
  "text-generation": { input: ["text"], output: ["text"] },
  "text-embeddings": { input: ["text"], output: [] },
  "text-to-image": { input: ["text"], output: ["image"] },
  "image-to-image": { input: ["text", "image"], output: ["image"] },
  "image-to-text": { input: ["image"], output: ["text"] },
  "text-to-speech": { input: ["text"], output: ["audio"] },
  "automatic-speech-recognition": { input: ["audio"], output: ["text"] },
  "text-to-video": { input: ["text"], output: ["video"] },
  "image-to-video": { input: ["image"], output: ["video"] },
  other: { input: [], output: [] },
};

function supportedParameters(entry: CatalogEntry): readonly string[] {
  if (entry.task !== "text-generation") return [];
  const inputs = propertiesOf(entry.inputSchema);
  const can = new Set(entry.capabilities ?? []);
  return parameters
    .filter(([, names]) => names.some((name) => Object.hasOwn(inputs, name)))
    .map(([name]) => name)
    .filter((name) => !name.startsWith("tool") || entry.origin === undefined || can.has("tools"))
    .filter((name) => name !== "response_format" || entry.origin === undefined || can.has("json"));
}

function features({ capabilities = [] }: CatalogEntry): readonly string[] {
  return [
    ...(capabilities.includes("tools") ? ["tools"] : []),
    ...(capabilities.includes("json") ? ["json_mode", "structured_outputs"] : []),
    ...(capabilities.includes("reasoning") ? ["reasoning"] : []),
  ];
}

function pricing(entry: CatalogEntry): Readonly<Record<string, string>> {
  const cached = priceOf(entry, "cached-input-token");
  return {
    prompt: priceOf(entry, "input-token") ?? "0",
    completion: priceOf(entry, "output-token") ?? "0",
    request: priceOf(entry, "request") ?? "0",
    image: priceOf(entry, "image") ?? "0",
    ...(cached === undefined ? {} : { input_cache_read: cached }),
  };
}
