import { priceOf } from "../catalog/formats/price.ts";
import {
  selectModels,
  type CallKind,
  type ExportedDocument,
  type ExportModel,
  type ExportOptions,
} from "./model.ts";
import { renderYaml } from "./yaml.ts";

/** One model of LiteLLM: an element of `model_list` in its config.yaml, and the body of `POST /model/new`. */
export interface LiteLlmModel {
  readonly model_name: string;
  readonly litellm_params: Readonly<Record<string, unknown>> & {
    /** `openai/` makes it call the model by OpenAI's API. */
    readonly model: string;
    readonly api_base: string;
    readonly api_key: string;
  };
  readonly model_info: Readonly<Record<string, unknown>>;
}

const modes: Readonly<Record<CallKind, string>> = {
  chat: "chat",
  embedding: "embedding",
  image: "image_generation",
  speech: "audio_speech",
  transcription: "audio_transcription",
};
export const liteLlmKinds: readonly CallKind[] = [
  "chat",
  "embedding",
  "image",
  "speech",
  "transcription",
];

/** config.yaml of LiteLLM's proxy (https://docs.litellm.ai/docs/proxy/configs, 2026-08). */
export function exportToLiteLlm(
  models: readonly ExportModel[],
  options: ExportOptions,
): ExportedDocument {
  const { selected, skipped } = selectModels(models, liteLlmKinds);
  const list = selected.map(({ model, kind }) => liteLlmModel(model, kind, options));
  return {
    language: "yaml",
    text: renderYaml({ model_list: list }),
    notes: [
      `Add it to LiteLLM's config.yaml; its environment needs ${options.keyEnv}.`,
      "With a database (store_model_in_db) `byom models register --to litellm` does it by its API.",
    ],
    skipped,
  };
}

export function liteLlmModel(
  model: ExportModel,
  kind: CallKind,
  options: ExportOptions,
): LiteLlmModel {
  const { capabilities = [] } = model;
  return {
    model_name: model.id,
    litellm_params: {
      model: `openai/${model.id}`,
      api_base: `${options.baseUrl}/v1`,
      api_key: options.key ?? `os.environ/${options.keyEnv}`,
      ...costs(model),
    },
    model_info: {
      mode: modes[kind],
      ...(model.contextLength !== undefined && { max_input_tokens: model.contextLength }),
      ...(model.maxOutputTokens !== undefined && { max_output_tokens: model.maxOutputTokens }),
      ...(model.description !== "" && { description: model.description }),
      ...(capabilities.includes("tools") && { supports_function_calling: true }),
      ...(capabilities.includes("vision") && { supports_vision: true }),
      ...(capabilities.includes("json") && { supports_response_schema: true }),
      ...(capabilities.includes("reasoning") && { supports_reasoning: true }),
    },
  };
}

/** US dollars for one token, image, second or character: the names of LiteLLM's price list. */
function costs(model: ExportModel): Readonly<Record<string, number>> {
  const named = [
    ["input_cost_per_token", priceOf(model, "input-token")],
    ["output_cost_per_token", priceOf(model, "output-token")],
    ["cache_read_input_token_cost", priceOf(model, "cached-input-token")],
    ["input_cost_per_second", priceOf(model, "second")],
    ["output_cost_per_image", priceOf(model, "image")],
    ["input_cost_per_character", priceOf(model, "character")],
  ] as const;
  return Object.fromEntries(
    named.flatMap(([name, usd]) => (usd === undefined ? [] : [[name, Number(usd)]])),
  );
}
