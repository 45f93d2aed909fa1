import { z } from "zod";

import {
  capabilities,
  modalities,
  tasks,
  type Capability,
  type Modality,
  type Price,
  type Task,
} from "../entry.ts";
import { pricesSchema } from "../store/records.ts";
import type { ThirdPartyModel } from "../third-party.ts";

/** What a public list says about one provider's model. */
export interface SheetModel {
  /** As byom names the provider. */
  readonly provider: string;
  /** As the provider names the model. */
  readonly model: string;
  readonly name?: string;
  readonly task: Task;
  /** Tokens. */
  readonly contextLength?: number;
  readonly maxOutputTokens?: number;
  readonly modalities?: {
    readonly input: readonly Modality[];
    readonly output: readonly Modality[];
  };
  readonly capabilities?: readonly Capability[];
  readonly prices: readonly Price[];
  /** ISO 8601 date. */
  readonly releasedAt?: string;
}

/** A public list as it was read, reduced to the providers that byom can call. */
export interface PriceSheet {
  readonly format: SheetFormat;
  /** File or URL that it came from, as the operator named it. */
  readonly source: string;
  /** ISO 8601. */
  readonly readAt: string;
  readonly models: readonly SheetModel[];
}

export const sheetFormats = ["models.dev", "litellm"] as const;
export type SheetFormat = (typeof sheetFormats)[number];

const tokens = z.int().positive();

export const priceSheetSchema: z.ZodType<PriceSheet> = z.strictObject({
  format: z.enum(sheetFormats),
  source: z.string(),
  readAt: z.string(),
  models: z.array(
    z.strictObject({
      provider: z.string(),
      model: z.string(),
      name: z.string().exactOptional(),
      task: z.enum(tasks),
      contextLength: tokens.exactOptional(),
      maxOutputTokens: tokens.exactOptional(),
      modalities: z
        .strictObject({ input: z.array(z.enum(modalities)), output: z.array(z.enum(modalities)) })
        .exactOptional(),
      capabilities: z.array(z.enum(capabilities)).exactOptional(),
      prices: pricesSchema,
      releasedAt: z.string().exactOptional(),
    }),
  ),
});

/** What identifies a model over lists: the provider and its own name for it. */
export function upstreamKey(provider: string, model: string): string {
  return `${provider}\n${model}`;
}

/** A model with what a newer list says about its preferred upstream; what the list does not say stays. */
export function withSheet(
  model: ThirdPartyModel,
  facts: SheetModel,
  sheet: PriceSheet,
): ThirdPartyModel {
  const { contextLength, maxOutputTokens, prices } = facts;
  return {
    ...model,
    ...(contextLength === undefined ? {} : { contextLength }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...(facts.modalities === undefined ? {} : { modalities: facts.modalities }),
    ...(facts.capabilities === undefined ? {} : { capabilities: facts.capabilities }),
    ...(prices.length === 0 ? {} : { prices: datePrices(prices, sheet) }),
    facts: { source: sheet.source, asOf: sheet.readAt.slice(0, 10) },
  };
}

/** A model that only the list knows. */
export function listedModel(facts: SheetModel, sheet: PriceSheet): ThirdPartyModel {
  const { provider, model, name = model, task, releasedAt } = facts;
  const asOf = sheet.readAt.slice(0, 10);
  return withSheet(
    {
      id: listedId(provider, model),
      name,
      description: `${name}, as ${sheet.source} lists it.`,
      task,
      upstreams: [{ provider, model }],
      createdAt: `${releasedAt ?? asOf}T00:00:00.000Z`,
    },
    facts,
    sheet,
  );
}

/** Workers AI's and Replicate's own names already say whose model it is. */
function listedId(provider: string, model: string): string {
  if (provider === "workers-ai" && model.startsWith("@")) return model;
  if (provider === "replicate" && model.includes("/")) return model;
  return `${provider}/${model}`;
}

function datePrices(prices: readonly Price[], { source, readAt }: PriceSheet): readonly Price[] {
  return prices.map((price) => ({ ...price, source, asOf: readAt.slice(0, 10) }));
}

/**
 * A number of dollars as a decimal: `1.5e-7` a token is `0.15` a million, without the binary fraction's tail.
 * Undefined for what is no price.
 */
export function decimalUsd(amount: unknown, times = 1): string | undefined {
  if (typeof amount !== "number" || !Number.isFinite(amount) || amount < 0) return undefined;
  const scaled = amount * times;
  if (scaled >= usdMax) return undefined;
  const text = scaled.toFixed(usdDecimals).replace(/\.?0+$/, "");
  return text === "" ? "0" : text;
}

/** A price beyond this is a unit mistaken for another. */
const usdMax = 1_000_000;
/** Finer than any price known; coarser than a double's error at these sizes. */
const usdDecimals = 9;
