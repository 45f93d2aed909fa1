import { z } from "zod";
import { PlainScalar } from "./source.ts";

/** Text, or a number or boolean as the author typed it: `3.10` stays "3.10". */
export const textField: z.ZodType<string> = z.preprocess(
  (value) => (value instanceof PlainScalar ? value.text : value),
  z.string(),
);

/** `true` or `false`, and YAML 1.1's `yes`, `no`, `on`, `off` without quotes, as Cog's parser takes them. */
export const flagField: z.ZodType<boolean> = z.preprocess((value) => {
  if (value instanceof PlainScalar) return value.value;
  return typeof value === "string" ? (legacyFlags[value.toLowerCase()] ?? value) : value;
}, z.boolean());

/** A number; units and ranges are the schema's matter. */
export function numberField(schema: z.ZodType<number>): z.ZodType<number> {
  return z.preprocess((value) => (value instanceof PlainScalar ? value.value : value), schema);
}

/** Settings by name. A scalar, being an object of ours, must not pass for an empty one. */
export function mappingField<Value>(schema: z.ZodType<Value>): z.ZodType<Value> {
  return z.preprocess((value) => (value instanceof PlainScalar ? value.value : value), schema);
}

const legacyFlags: Readonly<Record<string, boolean>> = {
  yes: true,
  y: true,
  on: true,
  no: false,
  n: false,
  off: false,
};
