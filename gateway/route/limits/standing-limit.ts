import { z } from "zod";

import type { KeyIdentity } from "../../keys/keys.ts";
import type { Metadata } from "./subject.ts";
import {
  limitShape,
  limitsNothing,
  limitsSomething,
  ruleOf,
  type LimitBody,
  type LimitRule,
} from "./rule.ts";
import type { LimitSubject } from "./subject.ts";

/** A limit that holds for calls whatever their route, as it is stored. */
export interface StandingLimitBody extends LimitBody {
  readonly description?: string;
  /** For which calls; all that is named must fit. Absent: for all. */
  readonly match?: LimitMatch;
}

export interface LimitMatch {
  /** Ids of models, `owner/*` allowed. */
  readonly models?: readonly string[];
  /** Ids or names of keys. */
  readonly keys?: readonly string[];
  /** Such as `dynamic/support`. */
  readonly routes?: readonly string[];
  readonly metadata?: Metadata;
}

const namesMax = 100;
const names = z.array(z.string().min(1).max(200)).min(1).max(namesMax).exactOptional();

const matchSchema: z.ZodType<LimitMatch> = z.strictObject({
  models: names,
  keys: names,
  routes: names,
  metadata: z
    .record(z.string().min(1).max(200), z.union([z.string(), z.number(), z.boolean()]))
    .exactOptional(),
});

export const standingLimitSchema: z.ZodType<StandingLimitBody> = z
  .strictObject({
    description: z.string().max(500).exactOptional(),
    match: matchSchema.exactOptional(),
    ...limitShape,
  })
  .refine(limitsSomething, { message: limitsNothing() });

export const limitNameSchema: z.ZodType<string> = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/, "letters, digits, dots, hyphens, up to 64");

export interface StandingLimit {
  readonly name: string;
  readonly body: StandingLimitBody;
  readonly rule: LimitRule;
}

export function standingLimit(name: string, body: StandingLimitBody): StandingLimit {
  return { name, body, rule: ruleOf(`limit:${name}`, body) };
}

/** Whether a limit is for this call. */
export function isFor({ body: { match } }: StandingLimit, subject: LimitSubject): boolean {
  if (match === undefined) return true;
  const { models, keys, routes, metadata } = match;
  return (
    (models === undefined || models.some((pattern) => isLike(subject.model, pattern))) &&
    (keys === undefined || keys.some((name) => isKey(subject.key, name))) &&
    (routes === undefined || routes.some((name) => isLike(subject.route, name))) &&
    (metadata === undefined ||
      Object.entries(metadata).every(
        ([name, value]) =>
          Object.hasOwn(subject.facts.metadata, name) && subject.facts.metadata[name] === value,
      ))
  );
}

function isLike(name: string | undefined, pattern: string): boolean {
  if (name === undefined) return false;
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function isKey(key: KeyIdentity | undefined, name: string): boolean {
  return key !== undefined && (key.id === name || key.name === name);
}
