import { z } from "zod";

import { fieldProblem } from "../dynamic/facts.ts";
import type { OptionalShape } from "../dynamic/policy-body.ts";
import { durationSchema, readDuration } from "./duration.ts";

export const techniques = ["sliding", "fixed"] as const;
export type Technique = (typeof techniques)[number];

/** How much may be asked for in a time, and at once. */
export interface LimitRule {
  /** Its counters are kept under this name: `limit:free`, `route:support/rate-1`. */
  readonly id: string;
  readonly requests?: number;
  /** Tokens in and out. */
  readonly tokens?: number;
  /** US dollars. */
  readonly usd?: number;
  /** Calls under way at once. */
  readonly concurrency?: number;
  /** Milliseconds, of requests, tokens and money. */
  readonly windowMs: number;
  /** `fixed`: windows begin at full multiples of their length since the epoch, in UTC. */
  readonly technique: Technique;
  /** Fields each of whose values is counted apart, such as `metadata.team`, `key.id`, `model`; none: all together. */
  readonly per: readonly string[];
}

/** A limit as a person writes it. */
export interface LimitBody {
  readonly requests?: number;
  readonly tokens?: number;
  readonly usd?: number;
  readonly concurrency?: number;
  /** Seconds, or a text such as `5m`; default: a minute. */
  readonly window?: string | number;
  readonly technique?: Technique;
  readonly per?: readonly string[];
}

const windowDefaultMs = 60_000;
/** Counters are in memory: what lasts longer is a budget. */
const windowMaxMs: number = 31 * 86_400_000;
/** Shorter ones are measured by the machine's jitter. */
const windowMinMs = 100;
const perMax = 4;

/** Fields that a limit can count apart beside those of a condition. */
const limitFields: ReadonlySet<string> = new Set(["model", "route"]);

const countSchema = z.int().positive().max(Number.MAX_SAFE_INTEGER);

export const limitFieldSchema: z.ZodType<string> = fieldSchema((name) =>
  limitFields.has(name) ? undefined : fieldProblem(name),
);

/** A field that is known before a model is chosen. */
export const callFieldSchema: z.ZodType<string> = fieldSchema(fieldProblem);

function fieldSchema(problemOf: (name: string) => string | undefined): z.ZodType<string> {
  return z
    .string()
    .max(200)
    .superRefine((name, context) => {
      const problem = problemOf(name);
      if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
    });
}

export const limitShape: OptionalShape<LimitBody> = {
  requests: countSchema.exactOptional(),
  tokens: countSchema.exactOptional(),
  usd: z.number().positive().max(1_000_000_000).exactOptional(),
  concurrency: countSchema.exactOptional(),
  window: durationSchema
    .refine((value) => isWindow(readDuration(value)), {
      message: "from 0.1 seconds to 31 days; for longer ones there are budgets",
    })
    .exactOptional(),
  technique: z.enum(techniques).exactOptional(),
  per: z.array(limitFieldSchema).max(perMax).exactOptional(),
};

export const limitBodySchema: z.ZodType<LimitBody> = z
  .strictObject(limitShape)
  .refine(limitsSomething, { message: limitsNothing() });

/** Whether at least one measure is limited. */
export function limitsSomething(body: LimitBody): boolean {
  const { requests, tokens, usd, concurrency } = body;
  return [requests, tokens, usd, concurrency].some((value) => value !== undefined);
}

export function limitsNothing(): string {
  return "limits nothing: give requests, tokens, usd or concurrency";
}

function isWindow(ms: number | undefined): boolean {
  return ms !== undefined && ms >= windowMinMs && ms <= windowMaxMs;
}

export function ruleOf(id: string, body: LimitBody): LimitRule {
  const { requests, tokens, usd, concurrency, window, technique = "sliding", per = [] } = body;
  return {
    id,
    windowMs: readDuration(window) ?? windowDefaultMs,
    technique,
    per,
    ...(requests !== undefined && { requests }),
    ...(tokens !== undefined && { tokens }),
    ...(usd !== undefined && { usd }),
    ...(concurrency !== undefined && { concurrency }),
  };
}
