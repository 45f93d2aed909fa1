import { z } from "zod";

import type { KeyIdentity } from "../../keys/keys.ts";
import type { RoutePolicy } from "../policy.ts";
import { limitError, type Limiter, type LimitState } from "../limits/limiter.ts";
import { isFor, type StandingLimit } from "../limits/standing-limit.ts";
import type { LimitSubject } from "../limits/subject.ts";
import type { Route } from "./book.ts";
import type { Decision } from "./evaluate.ts";
import type { CallFacts } from "./facts.ts";
import { planCall } from "./plan-call.ts";
import { healthOf, type HealthSources, type UpstreamHealth } from "./view.ts";

/** A call that is thought of, to see where it would go. */
export interface TryBody {
  readonly metadata?: CallFacts["metadata"];
  readonly headers?: Readonly<Record<string, string>>;
  /** Whose key calls; `models` as in its allow-list. */
  readonly key?: {
    readonly id?: string;
    readonly name?: string;
    readonly models?: readonly string[];
  };
  /** The request's JSON: its length counts, and conditions on `body.…` look into it. */
  readonly input?: Readonly<Record<string, unknown>>;
  /** Length of the request, in the place of the input's. */
  readonly bytes?: number;
  readonly surface?: string;
  /** ISO 8601; default: now. */
  readonly at?: string;
  /** From 0 to 1: what is drawn wherever the route shares calls out; default: by chance. */
  readonly draw?: number;
  /** Another version than the one in use. */
  readonly version?: number;
}

const textMax = 2_000;
const text = z.string().max(textMax);

export const tryBodySchema: z.ZodType<TryBody> = z.strictObject({
  metadata: z.record(text, z.union([text, z.number(), z.boolean()])).exactOptional(),
  headers: z.record(text, text).exactOptional(),
  key: z
    .strictObject({
      id: text.exactOptional(),
      name: text.exactOptional(),
      models: z.array(text).max(100).exactOptional(),
    })
    .exactOptional(),
  input: z.record(z.string(), z.unknown()).exactOptional(),
  bytes: z.int().min(0).exactOptional(),
  surface: text.exactOptional(),
  at: z.iso.datetime().exactOptional(),
  draw: z.number().min(0).lt(1).exactOptional(),
  version: z.int().positive().exactOptional(),
});

/** Where a call would go, and why. Nothing was sent and nothing counted. */
export interface TryReport {
  readonly route: string;
  readonly version: number;
  readonly inputBytes: number;
  readonly legs: readonly (UpstreamHealth & {
    readonly node: string;
    readonly policy?: Partial<RoutePolicy>;
  })[];
  readonly policy: Partial<RoutePolicy>;
  readonly decisions: readonly Decision[];
  readonly skipped: readonly {
    readonly node: string;
    readonly code: string;
    readonly message: string;
  }[];
  readonly limits: readonly {
    readonly limit: string;
    readonly partition: string;
    readonly isOpen: boolean;
    readonly retryAfterMs: number;
    readonly standings: LimitState["standings"];
  }[];
  /** Why the call would be refused; absent: it would be tried. */
  readonly refusal?: { readonly code: string; readonly message: string };
}

export interface TrySources extends HealthSources {
  readonly limiter: Limiter;
  readonly standing: readonly StandingLimit[];
  readonly random: () => number;
}

export function tryRoute(route: Route, body: TryBody, sources: TrySources): TryReport {
  const { limiter } = sources;
  const facts = factsOf(body, limiter.clock());
  const key = keyOf(body);
  const subject: LimitSubject = { facts, key, model: undefined, route: route.fullName };
  const { draw } = body;
  const planned = planCall(route, {
    facts,
    key,
    providerKey: undefined,
    sources,
    random: draw === undefined ? sources.random : () => draw,
    look: (rule) => limiter.look(rule, subject),
  });
  const [first] = planned.candidates;
  const called = { ...subject, model: first?.entry.id };
  const states = [
    ...sources.standing.filter((limit) => isFor(limit, called)).map(({ rule }) => rule),
    ...route.plan.limits,
  ].map((rule) => limiter.look(rule, called));
  const refusal = refusalOf(route, { planned, states, limiter, subject });
  return {
    route: route.fullName,
    version: route.version,
    inputBytes: facts.inputBytes ?? 0,
    legs: planned.candidates.map((candidate) => ({
      node: candidate.node ?? "",
      ...healthOf(candidate, sources),
      ...(candidate.policy !== undefined && { policy: candidate.policy }),
    })),
    policy: route.plan.policy,
    decisions: planned.decisions,
    skipped: planned.skipped.map(({ node, failure: { code, message } }) => ({
      node,
      code,
      message,
    })),
    limits: states.map(({ rule, ...state }) => ({ limit: rule.id, ...state })),
    ...(refusal !== undefined && { refusal }),
  };
}

function refusalOf(
  route: Route,
  found: {
    readonly planned: ReturnType<typeof planCall>;
    readonly states: readonly LimitState[];
    readonly limiter: Limiter;
    readonly subject: LimitSubject;
  },
): TryReport["refusal"] {
  const { planned, states, limiter, subject } = found;
  const shut = states.find(({ isOpen }) => !isOpen);
  if (shut !== undefined) return said(limitError(shut, shut.rule.id));
  if (planned.candidates.length > 0) return undefined;
  if (planned.refusedBy !== undefined) {
    return said(limitError(limiter.look(planned.refusedBy, subject), `of ${route.fullName}`));
  }
  const [skipped] = planned.skipped;
  if (skipped !== undefined) return said(skipped.failure);
  return { code: "model_not_found", message: "No condition of the route holds for this call." };
}

function said({ code, message }: { readonly code: string; readonly message: string }): {
  readonly code: string;
  readonly message: string;
} {
  return { code, message };
}

function factsOf(body: TryBody, nowMs: number): CallFacts {
  const { metadata = {}, headers = {}, input, bytes, surface, at, key } = body;
  const length = input === undefined ? 0 : Buffer.byteLength(JSON.stringify(input));
  return {
    metadata,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    inputBytes: bytes ?? length,
    nowMs: at === undefined ? nowMs : Date.parse(at),
    ...(key !== undefined && { key: { id: key.id ?? "", name: key.name ?? "" } }),
    ...(surface !== undefined && { surface }),
    ...(input !== undefined && { body: () => input }),
  };
}

function keyOf({ key }: TryBody): KeyIdentity | undefined {
  if (key === undefined) return undefined;
  const { id = "", name = id, models } = key;
  return { id, name, scopes: ["call"], ...(models !== undefined && { models }) };
}
