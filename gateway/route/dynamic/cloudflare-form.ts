import { z } from "zod";

import {
  callFieldSchema,
  limitFieldSchema,
  ruleOf,
  techniques,
  type LimitRule,
} from "../limits/rule.ts";
import type { Condition } from "./condition.ts";
import type { LegPlan, RouteGraph, RouteNode } from "./graph.ts";
import { under, type Problem } from "./problem.ts";
import { conditionSchema, rounding } from "./short-form.ts";

/**
 * A route as Cloudflare's AI Gateway writes it. The documentation and the published client name some things differently
 * (`rate_limit`, `interval`, `condition` here, `rate`, `window`, `conditions` there): both are read.
 * Sources: developers.cloudflare.com/ai-gateway/features/dynamic-routing/json-configuration (2026-04), `cloudflare` 7.3.0.
 */
export interface CloudflareRoute {
  readonly name?: string;
  readonly elements: readonly Element[];
}

interface Output {
  readonly elementId: string;
}

interface Base {
  readonly id: string;
  readonly outputs?: Readonly<Record<string, Output>>;
}

export type Element = Base &
  (
    | { readonly type: "start" | "end" }
    | {
        readonly type: "conditional";
        readonly properties: { readonly condition?: Condition; readonly conditions?: Condition };
      }
    | {
        readonly type: "percentage";
        /** Of byom: a field whose values always draw the same. */
        readonly properties?: { readonly stickyBy?: string };
      }
    | { readonly type: "rate" | "rate_limit"; readonly properties: RateProperties }
    | { readonly type: "model"; readonly properties: ModelProperties }
  );

interface RateProperties {
  readonly limitType: "count" | "cost" | "tokens";
  readonly key?: string;
  readonly limit: number;
  /** Seconds; `window` in the client's types. */
  readonly interval?: number;
  readonly window?: number;
  readonly technique?: (typeof techniques)[number];
}

interface ModelProperties {
  readonly provider?: string;
  readonly model: string;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly retries?: number;
}

const elementsMax = 100;
/** Cloudflare's: five outputs beside `else`. */
const sharesMax = 5;
/** Tries beside the first one. */
const retriesMax = 9;

const idSchema = z.string().min(1).max(100);
const base = {
  id: idSchema,
  outputs: z
    .record(z.string().min(1).max(50), z.looseObject({ elementId: idSchema }))
    .exactOptional(),
};

const elementSchema: z.ZodType<Element> = z.discriminatedUnion("type", [
  z.looseObject({ ...base, type: z.enum(["start", "end"]) }),
  z.looseObject({
    ...base,
    type: z.literal("conditional"),
    properties: z
      .looseObject({
        condition: conditionSchema.exactOptional(),
        conditions: conditionSchema.exactOptional(),
      })
      .refine(({ condition, conditions }) => (condition ?? conditions) !== undefined, {
        message: "condition is missing",
      }),
  }),
  z.looseObject({
    ...base,
    type: z.literal("percentage"),
    properties: z.looseObject({ stickyBy: callFieldSchema.exactOptional() }).exactOptional(),
  }),
  z.looseObject({
    ...base,
    type: z.enum(["rate", "rate_limit"]),
    properties: z
      .looseObject({
        limitType: z.enum(["count", "cost", "tokens"]),
        key: limitFieldSchema.exactOptional(),
        limit: z.number().positive(),
        interval: z.number().positive().max(2_678_400).exactOptional(),
        window: z.number().positive().max(2_678_400).exactOptional(),
        technique: z.enum(techniques).exactOptional(),
      })
      .refine(({ interval, window }) => (interval ?? window) !== undefined, {
        message: "interval (or window) is missing: seconds",
      }),
  }),
  z.looseObject({
    ...base,
    type: z.literal("model"),
    properties: z.looseObject({
      provider: z.string().min(1).max(100).exactOptional(),
      model: z.string().min(1).max(200),
      timeout: z.number().positive().max(3_600_000).exactOptional(),
      retries: z.int().min(0).max(retriesMax).exactOptional(),
    }),
  }),
]);

export const elementsSchema: z.ZodType<readonly Element[]> = z
  .array(elementSchema)
  .min(1)
  .max(elementsMax);

export const cloudflareRouteSchema: z.ZodType<CloudflareRoute> = z.looseObject({
  name: z.string().min(1).max(100).exactOptional(),
  elements: elementsSchema,
});

/** Cloudflare's elements as a graph, with what is wrong in them; of a wrong one the graph may have holes. */
export function graphOfCloudflare(
  { elements }: CloudflareRoute,
  options: { readonly routeName: string },
): { readonly graph: RouteGraph; readonly problems: readonly Problem[] } {
  const reading = new Reading(options.routeName);
  const start = reading.start(elements);
  for (const [index, element] of elements.entries()) {
    reading.add(element, under("elements", index));
  }
  const sticky = elements.flatMap((element) =>
    element.type === "percentage" ? [element.properties?.stickyBy ?? []].flat() : [],
  );
  const [stickyBy] = sticky;
  return {
    graph: { start, nodes: reading.nodes, ...(stickyBy !== undefined && { stickyBy }) },
    problems: reading.problems,
  };
}

class Reading {
  readonly nodes = new Map<string, RouteNode>();
  readonly problems: Problem[] = [];
  readonly #routeName: string;
  readonly #ids = new Set<string>();

  constructor(routeName: string) {
    this.#routeName = routeName;
  }

  /** Notes the ids and finds where the route begins. */
  start(elements: readonly Element[]): string {
    for (const [index, { id }] of elements.entries()) {
      const path = under(under("elements", index), "id");
      if (this.#ids.has(id)) this.#wrong(path, `${id} is the id of two elements`);
      this.#ids.add(id);
    }
    const starts = elements.filter(({ type }) => type === "start");
    if (starts.length !== 1) {
      this.#wrong("elements", `has ${starts.length} elements of type start; exactly one begins`);
    }
    const at = elements.findIndex(({ type }) => type === "start");
    const first = elements[at];
    return first === undefined ? "" : this.#output(first, under("elements", at), "next");
  }

  add(element: Element, path: string): void {
    if (element.type === "start") return;
    const node = this.#nodeOf(element, path);
    if (node !== undefined) this.nodes.set(element.id, node);
  }

  #nodeOf(element: Element, path: string): RouteNode | undefined {
    switch (element.type) {
      case "conditional": {
        const { condition, conditions = {} } = element.properties;
        return {
          kind: "branch",
          condition: condition ?? conditions,
          whenTrue: this.#output(element, path, "true"),
          whenFalse: this.#output(element, path, "false"),
        };
      }
      case "percentage":
        return this.#split(element, path);
      case "rate":
      case "rate_limit": {
        const exceeded = this.#optionalOutput(element, path, "fallback");
        return {
          kind: "gate",
          rule: this.#rule(element.id, element.properties),
          within: this.#output(element, path, "success"),
          ...(exceeded !== undefined && { exceeded }),
        };
      }
      case "model": {
        const onFailure = this.#optionalOutput(element, path, "fallback");
        this.#optionalOutput(element, path, "success");
        return {
          kind: "model",
          leg: legOf(element.properties, under(path, "properties")),
          ...(onFailure !== undefined && { onFailure }),
        };
      }
      default:
        return { kind: "end" };
    }
  }

  #split(element: Element, path: string): RouteNode {
    const names = Object.keys(element.outputs ?? {});
    const here = under(path, "outputs");
    let sum = 0;
    const shares = names.map((label) => {
      const percent = label === "else" ? 0 : percentIn(label);
      if (percent === undefined) this.#wrong(under(here, label), "is neither such as 10% nor else");
      sum += percent ?? 0;
      return { label, percent: percent ?? 0, next: this.#output(element, path, label) };
    });
    const named = shares.filter(({ label }) => label !== "else");
    if (named.length === 0 || named.length > sharesMax) {
      this.#wrong(here, `has ${named.length} shares; 1 to ${sharesMax} beside else`);
    }
    const hasElse = names.includes("else");
    if (sum > 100 + rounding || (!hasElse && Math.abs(sum - 100) > rounding)) {
      const way = hasElse ? "which is above 100" : "and not 100; name an else for the rest";
      this.#wrong(here, `the shares add up to ${sum}%, ${way}`);
    }
    const rest = Math.max(0, 100 - sum);
    return {
      kind: "split",
      shares: shares.map((share) => (share.label === "else" ? { ...share, percent: rest } : share)),
    };
  }

  #rule(id: string, properties: RateProperties): LimitRule {
    const { limitType, limit, key, interval, window, technique } = properties;
    const measure = { count: "requests", cost: "usd", tokens: "tokens" }[limitType];
    return ruleOf(`route:${this.#routeName}/${id}`, {
      [measure]: limit,
      window: interval ?? window ?? 1,
      ...(technique !== undefined && { technique }),
      ...(key !== undefined && { per: [key] }),
    });
  }

  #output(element: Element, path: string, name: string): string {
    const next = this.#optionalOutput(element, path, name);
    if (next !== undefined) return next;
    this.#wrong(under(path, "outputs"), `${element.type} ${element.id} lacks the output ${name}`);
    return "";
  }

  #optionalOutput(element: Element, path: string, name: string): string | undefined {
    const next = Object.hasOwn(element.outputs ?? {}, name) ? element.outputs?.[name] : undefined;
    if (next === undefined) return undefined;
    if (!this.#ids.has(next.elementId)) {
      this.#wrong(
        under(under(path, "outputs"), name),
        `there is no element ${next.elementId} to go to`,
      );
    }
    return next.elementId;
  }

  #wrong(path: string, message: string): void {
    this.problems.push({ path, message });
  }
}

function percentIn(label: string): number | undefined {
  const match = /^(\d{1,3}(?:\.\d{1,4})?)\s*%?$/.exec(label);
  const percent = Number(match?.[1] ?? Number.NaN);
  return percent >= 0 && percent <= 100 ? percent : undefined;
}

function legOf(properties: ModelProperties, path: string): LegPlan {
  const { provider, model, timeout, retries } = properties;
  const policy = {
    ...(timeout !== undefined && { deadlines: { firstOutputMs: timeout } }),
    ...(retries !== undefined && { attempts: retries + 1 }),
  };
  return {
    path,
    model,
    ...(provider !== undefined && { provider }),
    ...(Object.keys(policy).length > 0 && { policy }),
  };
}
