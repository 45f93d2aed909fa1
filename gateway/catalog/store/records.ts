import { z } from "zod";

import { priceUnits, type Price } from "../entry.ts";

export interface Alias {
  /** The id of the model that the other name stands for. */
  readonly model: string;
}

export interface Hidden {
  /** ISO 8601. */
  readonly since: string;
}

export const aliasSchema: z.ZodType<Alias> = z.strictObject({ model: z.string().min(1) });
export const hiddenSchema: z.ZodType<Hidden> = z.strictObject({ since: z.string() });

/** A decimal number without sign and exponent: money is text, so that no rounding gets in. */
export const decimalPattern: RegExp = /^\d{1,12}(?:\.\d{1,18})?$/;
/** Prices of one model; a model has a handful of units. */
const pricesMax = 32;

export const priceSchema: z.ZodType<Price> = z.strictObject({
  unit: z.enum(priceUnits),
  per: z.int().positive(),
  usd: z.string().regex(decimalPattern, "a decimal number of US dollars, such as 0.15"),
  source: z.string().max(500).exactOptional(),
  asOf: z.string().max(40).exactOptional(),
});
export const pricesSchema: z.ZodType<readonly Price[]> = z.array(priceSchema).max(pricesMax);
