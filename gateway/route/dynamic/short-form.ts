import { z } from "zod";

import { cacheTtlMaxS, cacheTtlMinS } from "../../cache/limits.ts";
import { durationSchema, readDuration } from "../limits/duration.ts";
import { callFieldSchema, limitBodySchema, ruleOf, type LimitBody } from "../limits/rule.ts";
import { conditionProblems, type Condition } from "./condition.ts";
import type { Choice, LegPlan, RouteGraph, RouteNode } from "./graph.ts";
import { policyOf, policyShape, type PolicyBody } from "./policy-body.ts";
import { under } from "./problem.ts";

/** A model of a route in the short form; a text is `{model: …}`. */
export interface ShortLeg extends PolicyBody {
  readonly model: string;
  /** Only this one of the model's upstreams. */
  readonly provider?: string;
  /** Models with a weight share one place: which comes first is drawn. */
  readonly weight?: number;
  /** Of a hundred calls so many try this one first; the others begin with the models that have none. */
  readonly percent?: number;
  readonly when?: Condition;
  /** To the first output; beyond it the next model's turn. */
  readonly timeoutMs?: number;
  /** While it is reached, the next model's turn. */
  readonly limits?: LimitBody;
}

/** A route as a person writes it. */
export interface ShortRoute extends PolicyBody {
  readonly name?: string;
  readonly description?: string;
  /** Tried in this order. May be left out for `models/ID`: then it is that model. */
  readonly models?: readonly (string | ShortLeg)[];
  /** A field such as `metadata.user`, whose values always draw the same. */
  readonly stickyBy?: string;
  /** Exact answers are kept this long; seconds, or such as `10m`. */
  readonly cacheTtl?: string | number;
  /** A call beyond it is refused with 429. */
  readonly limits?: readonly LimitBody[];
}

/** A list that nobody would try to its end. */
const modelsMax = 20;
const limitsMax = 10;

export const conditionSchema: z.ZodType<Condition> = z
  .record(z.string(), z.unknown())
  .superRefine((value, context) => {
    for (const { path, message } of conditionProblems(value, "")) {
      context.addIssue({ code: "custom", message, path: path === "" ? [] : [path] });
    }
  });

const shortLegSchema: z.ZodType<ShortLeg> = z.strictObject({
  model: z.string().min(1).max(200),
  provider: z.string().min(1).max(100).exactOptional(),
  weight: z.number().positive().max(1_000_000).exactOptional(),
  percent: z.number().min(0).max(100).exactOptional(),
  when: conditionSchema.exactOptional(),
  timeoutMs: z.int().positive().max(3_600_000).exactOptional(),
  limits: limitBodySchema.exactOptional(),
  ...policyShape,
});

export const shortRouteSchema: z.ZodType<ShortRoute> = z
  .strictObject({
    name: z.string().min(1).max(100).exactOptional(),
    description: z.string().max(500).exactOptional(),
    models: z
      .array(z.union([z.string().min(1).max(200), shortLegSchema]))
      .min(1)
      .max(modelsMax)
      .exactOptional(),
    stickyBy: callFieldSchema.exactOptional(),
    cacheTtl: durationSchema
      .refine((value) => isCacheTime(readDuration(value)), {
        message: "from a minute to a month",
      })
      .exactOptional(),
    limits: z.array(limitBodySchema).max(limitsMax).exactOptional(),
    ...policyShape,
  })
  .superRefine(({ models = [] }, context) => {
    const legs = models.map(asLeg);
    const percents = legs.reduce((sum, { percent = 0 }) => sum + percent, 0);
    const message = shareProblem(legs, percents);
    if (message !== undefined) context.addIssue({ code: "custom", message, path: ["models"] });
  });

function shareProblem(legs: readonly ShortLeg[], percents: number): string | undefined {
  const hasPercent = legs.some(({ percent }) => percent !== undefined);
  if (!hasPercent) return undefined;
  if (legs.some(({ weight }) => weight !== undefined)) {
    return "weight and percent exclude each other: one of them shares out the calls";
  }
  const hasRest = legs.some(({ percent }) => percent === undefined);
  if (percents > 100 + rounding) return `the percents add up to ${percents}, which is above 100`;
  if (!hasRest && Math.abs(percents - 100) > rounding) {
    return `the percents add up to ${percents} and not 100, and no model is left for the rest`;
  }
  return undefined;
}

/** Three thirds of 33.3333 are a hundred. */
export const rounding = 0.001;

function isCacheTime(ms = 0): boolean {
  return ms >= cacheTtlMinS * 1_000 && ms <= cacheTtlMaxS * 1_000;
}

function asLeg(leg: string | ShortLeg): ShortLeg {
  return typeof leg === "string" ? { model: leg } : leg;
}

/** The short form as a graph; `routeName` names its counters, `ownModel` is what it is for when it names no models. */
export function graphOfShort(
  route: ShortRoute,
  options: { readonly routeName: string; readonly ownModel?: string },
): RouteGraph {
  const given = route.models ?? (options.ownModel === undefined ? [] : [options.ownModel]);
  const legs = given.map((leg, index) => ({ ...asLeg(leg), path: under("models", index) }));
  const nodes = new Map<string, RouteNode>([["end", { kind: "end" }]]);
  const context: Building = { nodes, routeName: options.routeName };
  const hasPercent = legs.some(({ percent }) => percent !== undefined);
  const start = hasPercent ? addShares(context, legs) : addInOrder(context, legs, "");
  return { start, nodes, ...(route.stickyBy !== undefined && { stickyBy: route.stickyBy }) };
}

interface Building {
  readonly nodes: Map<string, RouteNode>;
  readonly routeName: string;
}

type PlacedLeg = ShortLeg & { readonly path: string };

/** One way for each model with a percent, in which it comes first and the others follow. */
function addShares(context: Building, legs: readonly PlacedLeg[]): string {
  const rest = legs.filter(({ percent }) => percent === undefined);
  const shared = legs.filter(({ percent }) => percent !== undefined);
  const sum = shared.reduce((total, { percent = 0 }) => total + percent, 0);
  const shares = shared.map((leg) => {
    const others = [...rest, ...shared.filter((other) => other !== leg)];
    const label = `${leg.percent}% ${leg.path}`;
    return {
      label,
      percent: leg.percent ?? 0,
      next: addInOrder(context, [leg, ...others], leg.path),
    };
  });
  if (rest.length > 0) {
    const next = addInOrder(context, [...rest, ...shared], "rest");
    shares.push({ label: "else", percent: Math.max(0, 100 - sum), next });
  }
  context.nodes.set("shares", { kind: "split", shares });
  return "shares";
}

/** The models one after the other; neighbours with a weight share a place. Returns the first node. */
function addInOrder(context: Building, legs: readonly PlacedLeg[], way: string): string {
  let next = "end";
  let at = legs.length;
  while (at > 0) {
    const last = at;
    while (at > 0 && legs[at - 1]?.weight !== undefined) at -= 1;
    if (at < last) {
      next = addSpread(context, legs.slice(at, last), { way, next });
      continue;
    }
    at -= 1;
    const leg = legs[at];
    if (leg !== undefined) next = addLeg(context, leg, { way, next });
  }
  return next;
}

interface Place {
  readonly way: string;
  readonly next: string;
}

function addSpread(context: Building, legs: readonly PlacedLeg[], { way, next }: Place): string {
  const id = nodeId(legs[0]?.path ?? "models", way);
  const choices = legs.map((leg): Choice => ({
    weight: leg.weight ?? 1,
    leg: planOf(leg),
    ...(leg.when !== undefined && { when: leg.when }),
    ...(leg.limits !== undefined && { gate: ruleOf(ruleId(context, leg), leg.limits) }),
  }));
  context.nodes.set(id, { kind: "spread", choices, next });
  return id;
}

/** Its condition, its limit, itself: each leads on to the next model when it says no. */
function addLeg(context: Building, leg: PlacedLeg, { way, next }: Place): string {
  const { nodes } = context;
  let id = nodeId(leg.path, way);
  nodes.set(id, { kind: "model", leg: planOf(leg), onFailure: next });
  if (leg.limits !== undefined) {
    const within = id;
    id = nodeId(under(leg.path, "limits"), way);
    nodes.set(id, {
      kind: "gate",
      rule: ruleOf(ruleId(context, leg), leg.limits),
      within,
      exceeded: next,
    });
  }
  if (leg.when !== undefined) {
    const whenTrue = id;
    id = nodeId(under(leg.path, "when"), way);
    nodes.set(id, { kind: "branch", condition: leg.when, whenTrue, whenFalse: next });
  }
  return id;
}

/** The same model has one counter, whichever way leads to it. */
function ruleId({ routeName }: Building, leg: PlacedLeg): string {
  return `route:${routeName}/${leg.path}`;
}

function nodeId(path: string, way: string): string {
  return way === "" ? path : `${path} (${way} first)`;
}

function planOf(leg: PlacedLeg): LegPlan {
  const { timeoutMs, deadlines } = leg;
  const policy = policyOf({
    ...leg,
    ...(timeoutMs !== undefined && { deadlines: { firstOutputMs: timeoutMs, ...deadlines } }),
  });
  return {
    path: leg.path,
    model: leg.model,
    ...(leg.provider !== undefined && { provider: leg.provider }),
    ...(Object.keys(policy).length > 0 && { policy }),
  };
}
