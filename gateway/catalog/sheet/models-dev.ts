import { z } from "zod";

import type { Capability, Modality, Price, Task } from "../entry.ts";
import { decimalUsd, type SheetModel } from "./sheet.ts";

/**
 * The shape of models.dev's `api.json`: `{ PROVIDER: { models: { MODEL: {…} } } }`, or one provider's block of it.
 * Prices are US dollars for a million tokens.
 */
const modelSchema = z.looseObject({
  id: z.string().min(1),
  name: z.string().exactOptional(),
  release_date: z.string().exactOptional(),
  reasoning: z.boolean().exactOptional(),
  tool_call: z.boolean().exactOptional(),
  structured_output: z.boolean().exactOptional(),
  status: z.string().exactOptional(),
  modalities: z
    .looseObject({ input: z.array(z.string()), output: z.array(z.string()) })
    .exactOptional(),
  limit: z
    .looseObject({ context: z.number().exactOptional(), output: z.number().exactOptional() })
    .exactOptional(),
  cost: z
    .looseObject({
      input: z.number().nonnegative().exactOptional(),
      output: z.number().nonnegative().exactOptional(),
      cache_read: z.number().nonnegative().exactOptional(),
      cache_write: z.number().nonnegative().exactOptional(),
      reasoning: z.number().nonnegative().exactOptional(),
    })
    .exactOptional(),
});
type ModelsDevModel = z.output<typeof modelSchema>;

const blockSchema = z.looseObject({ id: z.string(), models: z.record(z.string(), modelSchema) });
const documentSchema = z.record(z.string(), blockSchema);

/** byom's names of the providers that models.dev calls otherwise. */
const providerNames: Readonly<Record<string, string>> = {
  "cloudflare-workers-ai": "workers-ai",
};

/** The models of a models.dev document, or undefined when it is none. */
export function readModelsDev(document: unknown): readonly SheetModel[] | undefined {
  const block = blockSchema.safeParse(document);
  const blocks = block.success
    ? { [block.data.id]: block.data }
    : documentSchema.safeParse(document).data;
  if (blocks === undefined) return undefined;
  return Object.entries(blocks).flatMap(([id, { models }]) =>
    Object.values(models)
      .filter(({ status }) => status !== "deprecated")
      .map((model) => readModel(providerNames[id] ?? id, model)),
  );
}

function readModel(provider: string, model: ModelsDevModel): SheetModel {
  const { id, name, release_date: releasedAt, cost = {}, limit = {} } = model;
  const shown = readModalities(model);
  return {
    provider,
    model: id,
    ...(name === undefined ? {} : { name }),
    task: taskOf(id, shown),
    ...(isCount(limit.context) ? { contextLength: limit.context } : {}),
    ...(isCount(limit.output) ? { maxOutputTokens: limit.output } : {}),
    ...(shown === undefined ? {} : { modalities: shown }),
    capabilities: capabilitiesOf(model, shown),
    prices: pricesOf(cost),
    ...(releasedAt !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(releasedAt) ? { releasedAt } : {}),
  };
}

function pricesOf(cost: NonNullable<ModelsDevModel["cost"]>): readonly Price[] {
  const amounts = [
    ["input-token", cost.input],
    ["cached-input-token", cost.cache_read],
    ["cache-write-token", cost.cache_write],
    ["output-token", cost.output],
    ["reasoning-token", cost.reasoning],
  ] as const;
  return amounts.flatMap(([unit, amount]) => {
    const usd = decimalUsd(amount);
    return usd === undefined ? [] : [{ unit, per: 1_000_000, usd }];
  });
}

const modalityNames: Readonly<Record<string, Modality>> = {
  text: "text",
  image: "image",
  audio: "audio",
  video: "video",
  pdf: "file",
};

function readModalities({ modalities }: ModelsDevModel): SheetModel["modalities"] {
  if (modalities === undefined) return undefined;
  const known = (names: readonly string[]): readonly Modality[] =>
    names.flatMap((name) => modalityNames[name] ?? []);
  return { input: known(modalities.input), output: known(modalities.output) };
}

function taskOf(id: string, shown: SheetModel["modalities"]): Task {
  if (/embed/i.test(id)) return "text-embeddings";
  const output = shown?.output ?? [];
  if (output.includes("video")) return "text-to-video";
  if (output.includes("image")) return "text-to-image";
  if (output.includes("audio") && !output.includes("text")) return "text-to-speech";
  const input = shown?.input ?? [];
  if (input.includes("audio") && !input.includes("text")) return "automatic-speech-recognition";
  return "text-generation";
}

function capabilitiesOf(
  model: ModelsDevModel,
  shown: SheetModel["modalities"],
): readonly Capability[] {
  return [
    ...(model.tool_call === true ? (["tools"] as const) : []),
    ...(model.structured_output === true ? (["json"] as const) : []),
    ...(shown?.input.includes("image") === true ? (["vision"] as const) : []),
    ...(model.reasoning === true ? (["reasoning"] as const) : []),
  ];
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isInteger(value) && value > 0;
}
