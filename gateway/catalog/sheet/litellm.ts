import { z } from "zod";

import type { Capability, Modality, Price, PriceUnit, Task } from "../entry.ts";
import { decimalUsd, type SheetModel } from "./sheet.ts";

/**
 * The shape of LiteLLM's `model_prices_and_context_window.json` (Bifrost's data sheet uses the same names): one object,
 * a key for each model, prices in US dollars for one token, image, second or character.
 */
const modelSchema = z.looseObject({
  litellm_provider: z.string(),
  mode: z.string().exactOptional(),
});
const documentSchema = z.record(z.string(), z.unknown());

/** byom's names of LiteLLM's providers; the others cannot be called. */
const providerNames: Readonly<Record<string, string>> = {
  openai: "openai",
  anthropic: "anthropic",
  gemini: "google",
  dashscope: "alibaba",
  assemblyai: "assemblyai",
  volcengine: "bytedance",
  minimax: "minimax",
  recraft: "recraft",
  runwayml: "runway",
  cloudflare: "workers-ai",
  replicate: "replicate",
};

const tasksByMode: Readonly<Record<string, Task>> = {
  chat: "text-generation",
  embedding: "text-embeddings",
  image_generation: "text-to-image",
  image_edit: "image-to-image",
  audio_speech: "text-to-speech",
  audio_transcription: "automatic-speech-recognition",
  video_generation: "text-to-video",
};

const unitsByField: readonly (readonly [field: string, unit: PriceUnit, per: number])[] = [
  ["input_cost_per_token", "input-token", 1_000_000],
  ["cache_read_input_token_cost", "cached-input-token", 1_000_000],
  ["cache_creation_input_token_cost", "cache-write-token", 1_000_000],
  ["output_cost_per_token", "output-token", 1_000_000],
  ["output_cost_per_reasoning_token", "reasoning-token", 1_000_000],
  ["output_cost_per_image", "image", 1],
  ["input_cost_per_image", "image", 1],
  ["output_cost_per_second", "second", 1],
  ["input_cost_per_second", "second", 1],
  ["output_cost_per_video_per_second", "second", 1],
  ["input_cost_per_character", "character", 1_000_000],
];

/** The model whose entry explains the fields; it is no model. */
const explanation = "sample_spec";

/** The models of a LiteLLM document, or undefined when it is none. */
export function readLiteLlm(document: unknown): readonly SheetModel[] | undefined {
  const parsed = documentSchema.safeParse(document);
  if (!parsed.success) return undefined;
  const models = Object.entries(parsed.data)
    .filter(([name]) => name !== explanation)
    .map(([name, value]) => [name, modelSchema.safeParse(value)] as const);
  if (models.length === 0 || models.some(([, result]) => !result.success)) return undefined;
  return models.flatMap(([name, { data }]) =>
    data === undefined ? [] : (readModel(name, data) ?? []),
  );
}

function readModel(name: string, model: z.output<typeof modelSchema>): SheetModel | undefined {
  const provider = providerNames[model.litellm_provider];
  const task = tasksByMode[model.mode ?? ""];
  // Other modes are other APIs; names with a slash too many are regions and sizes of a model.
  if (provider === undefined || task === undefined) return undefined;
  const own = name.startsWith(`${model.litellm_provider}/`)
    ? name.slice(model.litellm_provider.length + 1)
    : name;
  const contextLength = count(model["max_input_tokens"]) ?? count(model["max_tokens"]);
  const maxOutputTokens = count(model["max_output_tokens"]);
  return {
    provider,
    model: own,
    task,
    ...(contextLength === undefined ? {} : { contextLength }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...modalitiesOf(task, model),
    capabilities: capabilitiesOf(model),
    prices: pricesOf(model),
  };
}

function modalitiesOf(
  task: Task,
  model: Readonly<Record<string, unknown>>,
): Pick<SheetModel, "modalities"> {
  if (task !== "text-generation") return {};
  const input: Modality[] = ["text"];
  if (model["supports_vision"] === true) input.push("image");
  if (model["supports_audio_input"] === true) input.push("audio");
  if (model["supports_pdf_input"] === true) input.push("file");
  return { modalities: { input, output: ["text"] } };
}

function capabilitiesOf(model: Readonly<Record<string, unknown>>): readonly Capability[] {
  const fields = [
    ["supports_function_calling", "tools"],
    ["supports_response_schema", "json"],
    ["supports_vision", "vision"],
    ["supports_reasoning", "reasoning"],
  ] as const;
  return fields.flatMap(([field, capability]) => (model[field] === true ? [capability] : []));
}

function pricesOf(model: Readonly<Record<string, unknown>>): readonly Price[] {
  const prices = new Map<PriceUnit, Price>();
  for (const [field, unit, per] of unitsByField) {
    const usd = decimalUsd(model[field], per);
    // A side that costs nothing says nothing about the other one.
    const known = prices.get(unit)?.usd ?? "0";
    if (usd !== undefined && known === "0") prices.set(unit, { unit, per, usd });
  }
  return [...prices.values()];
}

function count(value: unknown): number | undefined {
  // Older entries have numbers in text.
  const number = typeof value === "string" ? Number(value) : value;
  return typeof number === "number" && Number.isInteger(number) && number > 0 ? number : undefined;
}
