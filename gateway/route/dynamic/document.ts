import type { CatalogEntry } from "../../catalog/entry.ts";
import { isObject } from "../../http/body.ts";
import { readDuration } from "../limits/duration.ts";
import { ruleOf, type LimitRule } from "../limits/rule.ts";
import type { RoutePolicy } from "../policy.ts";
import { graphProblems } from "./check.ts";
import {
  cloudflareRouteSchema,
  graphOfCloudflare,
  type CloudflareRoute,
} from "./cloudflare-form.ts";
import type { LegPlan, RouteGraph } from "./graph.ts";
import { policyOf } from "./policy-body.ts";
import { assertNone, under, type Problem } from "./problem.ts";
import { graphOfShort, shortRouteSchema, type ShortRoute } from "./short-form.ts";

/** A route as it is written down, in one of its two forms. */
export type RouteDocument = ShortRoute | CloudflareRoute;

/** A route as calls take it. */
export interface RoutePlan {
  readonly graph: RouteGraph;
  readonly policy: Partial<RoutePolicy>;
  /** Beyond any of them a call is refused. */
  readonly limits: readonly LimitRule[];
}

/** Names begin so when they say how a plain model is called. */
export const modelRoutePrefix = "models/";
/** What a caller writes before a route's name, in the place of a model. */
export const dynamicPrefix = "dynamic/";

/** The model that a `models/ID` route is about. */
export function ownModelOf(routeName: string): string | undefined {
  return routeName.startsWith(modelRoutePrefix)
    ? routeName.slice(modelRoutePrefix.length)
    : undefined;
}

export interface ReadOptions {
  /** Without `dynamic/`. */
  readonly routeName: string;
  /** Why a leg has nobody to serve it; undefined when it has. Default: nothing is asked. */
  readonly modelProblem?: (leg: LegPlan) => string | undefined;
}

/**
 * Reads a route in either form: Cloudflare's has `elements`, the short one `models`.
 * @throws `GatewayError` `invalid_request` that names every problem with its path
 */
export function readDocument(value: unknown, options: ReadOptions): RouteDocument {
  if (isObject(value) && "elements" in value) {
    const route = parse(cloudflareRouteSchema, value);
    const { graph, problems } = graphOfCloudflare(route, options);
    assertNone(problems);
    assertNone(placed(graphProblems(graph, withProblem(options)), graph, route));
    return route;
  }
  const route = parse(shortRouteSchema, value);
  const ownModel = ownModelOf(options.routeName);
  if (route.models === undefined && ownModel === undefined) {
    const message = "names the models that are tried, in their order";
    assertNone([{ path: "models", message }]);
  }
  assertNone(graphProblems(planOf(route, options.routeName).graph, withProblem(options)));
  return route;
}

/** A document that has been checked, as a plan. */
export function planOf(document: RouteDocument, routeName: string): RoutePlan {
  if ("elements" in document) {
    return { graph: graphOfCloudflare(document, { routeName }).graph, policy: {}, limits: [] };
  }
  const ownModel = ownModelOf(routeName);
  const { limits = [], cacheTtl } = document;
  const ttlMs = readDuration(cacheTtl);
  return {
    graph: graphOfShort(document, { routeName, ...(ownModel !== undefined && { ownModel }) }),
    policy: {
      ...policyOf(document),
      ...(ttlMs !== undefined && { cache: { ttlS: Math.round(ttlMs / 1_000) } }),
    },
    limits: limits.map((limit, index) => ruleOf(`route:${routeName}/limits.${index}`, limit)),
  };
}

/** What a person reads about a route. */
export function describe(document: RouteDocument, entries: readonly CatalogEntry[]): string {
  if ("description" in document && typeof document.description === "string") {
    return document.description;
  }
  const names = [...new Set(entries.map(({ id }) => id))];
  return `A route over ${names.join(", ")}.`;
}

function withProblem({ modelProblem }: ReadOptions): Parameters<typeof graphProblems>[1] {
  return { modelProblem: modelProblem ?? (() => undefined) };
}

/** Problems of nodes, whose paths are element ids, under the element's place in the list. */
function placed(
  problems: readonly Problem[],
  graph: RouteGraph,
  { elements }: CloudflareRoute,
): readonly Problem[] {
  return problems.map(({ path, message }) => {
    const at = graph.nodes.has(path) ? elements.findIndex(({ id }) => id === path) : -1;
    return at === -1
      ? { path: path === "" ? "elements" : path, message }
      : { path: under("elements", at), message: `${path} ${message}` };
  });
}

interface Schema<Value> {
  safeParse(value: unknown):
    | { readonly success: true; readonly data: Value }
    | {
        readonly success: false;
        readonly error: { readonly issues: readonly { path: PropertyKey[]; message: string }[] };
      };
}

function parse<Value>(schema: Schema<Value>, value: unknown): Value {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => ({
    path: path.map(String).join("."),
    message,
  }));
  assertNone(problems);
  throw new Error("a schema that refuses without saying why");
}
