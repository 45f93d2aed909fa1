import { z } from "zod";

import { defaultLogSettings, keeps, patternNames, type LogSettings } from "./settings.ts";

/** More would cost every call. */
const rulesMax = 200;
const expressionsMax = 32;
const pathsMax = 64;
const textMax = 300;

const text = z.string().min(1).max(textMax);

const matchSchema = z.strictObject({
  key: text.exactOptional(),
  route: text.exactOptional(),
  model: text.exactOptional(),
  provider: text.exactOptional(),
  surface: text.exactOptional(),
  metadata: z.record(text, z.union([z.string(), z.number(), z.boolean()])).exactOptional(),
});

const ruleSchema = z.strictObject({
  match: matchSchema.exactOptional(),
  log: z.enum(keeps).exactOptional(),
  payload: z.enum(keeps).exactOptional(),
});

const expressionSchema = z.strictObject({
  name: text,
  pattern: text.refine(isExpression, "is no regular expression"),
  ignoreCase: z.boolean().exactOptional(),
});

/** `input` or `output`, then steps. */
const pathPattern = /^(?:input|output)(?:\.\*{0,2}[\w$-]*|\[(?:\*|\d{1,6})\])*$/;

const { retention } = defaultLogSettings;

export const logSettingsSchema: z.ZodType<LogSettings> = z.strictObject({
  rules: z.array(ruleSchema).max(rulesMax).default([]),
  redaction: z
    .strictObject({
      patterns: z.array(z.enum(patternNames)).default([...patternNames]),
      expressions: z.array(expressionSchema).max(expressionsMax).default([]),
      paths: z
        .array(
          text.regex(pathPattern, "begins with input or output, such as input.messages[*].content"),
        )
        .max(pathsMax)
        .default([]),
    })
    .prefault({}),
  retention: z
    .strictObject({
      days: z.number().positive().max(3_650).default(retention.days),
      entries: z.int().min(1).max(100_000_000).default(retention.entries),
      bytes: z
        .int()
        .min(1024 ** 2)
        .default(retention.bytes),
    })
    .prefault({}),
});

function isExpression(pattern: string): boolean {
  try {
    return new RegExp(pattern, "u").source !== "";
  } catch {
    return false;
  }
}
