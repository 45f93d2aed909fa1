import { z } from "zod";

const unitsMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const pattern = /^(\d+(?:\.\d+)?)\s*([smhd])$/;

/** Milliseconds of `90`, `30s`, `5m`, `1h` or `1d`; a plain number is seconds. Undefined for anything else. */
export function readDuration(value: unknown): number | undefined {
  if (typeof value === "number") return value > 0 ? value * 1_000 : undefined;
  if (typeof value !== "string") return undefined;
  const match = pattern.exec(value.trim());
  if (match === null) return undefined;
  const ms = Number(match[1]) * (unitsMs[match[2] ?? ""] ?? Number.NaN);
  return ms > 0 ? ms : undefined;
}

/** A span of time in a document: seconds, or a text such as `5m`. */
export const durationSchema: z.ZodType<string | number> = z
  .union([z.number(), z.string()])
  .refine((value) => readDuration(value) !== undefined, {
    message: "a number of seconds, or such as 30s, 5m, 1h, 1d",
  });
