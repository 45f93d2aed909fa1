import type { LimitRule } from "../limits/rule.ts";
import type { RoutePolicy } from "../policy.ts";
import type { Condition } from "./condition.ts";

/** A model that a route may try. */
export interface LegPlan {
  /** Where it stands in the route's document, such as `models.1`. */
  readonly path: string;
  /** Id or alias of the catalog, or what the provider calls it. */
  readonly model: string;
  /** Absent: every upstream of the model, in the catalog's order. */
  readonly provider?: string;
  /** Over the route's. */
  readonly policy?: Partial<RoutePolicy>;
}

/** One of several legs that share a place by their weights. */
export interface Choice {
  readonly weight: number;
  readonly leg: LegPlan;
  readonly when?: Condition;
  readonly gate?: LimitRule;
}

/** One step of a route; every form of writing one down becomes these. */
export type RouteNode =
  | {
      readonly kind: "branch";
      readonly condition: Condition;
      readonly whenTrue: string;
      readonly whenFalse: string;
    }
  | {
      /** One way out of several, by their shares. */
      readonly kind: "split";
      readonly shares: readonly {
        readonly label: string;
        readonly percent: number;
        readonly next: string;
      }[];
    }
  | {
      /** Several legs, each tried once, in an order that is drawn by their weights. */
      readonly kind: "spread";
      readonly choices: readonly Choice[];
      readonly next: string;
    }
  | {
      readonly kind: "gate";
      readonly rule: LimitRule;
      readonly within: string;
      /** Absent: the route ends here, with 429 when nothing has been found so far. */
      readonly exceeded?: string;
    }
  | {
      readonly kind: "model";
      readonly leg: LegPlan;
      /** Absent: the call fails with it. */
      readonly onFailure?: string;
    }
  | { readonly kind: "end" };

/** A route as it is walked: nodes by id; every way through it ends. */
export interface RouteGraph {
  readonly start: string;
  readonly nodes: ReadonlyMap<string, RouteNode>;
  /** A field such as `metadata.user`: calls of the same value draw the same. */
  readonly stickyBy?: string;
}

/** Where one can go from a node, with the name of each way. */
export function waysOf(node: RouteNode): readonly (readonly [name: string, next: string])[] {
  switch (node.kind) {
    case "branch":
      return [
        ["true", node.whenTrue],
        ["false", node.whenFalse],
      ];
    case "split":
      return node.shares.map(({ label, next }) => [label, next] as const);
    case "spread":
      return [["next", node.next]];
    case "gate":
      return [
        ["success", node.within],
        ...(node.exceeded === undefined ? [] : [["fallback", node.exceeded] as const]),
      ];
    case "model":
      return node.onFailure === undefined ? [] : [["fallback", node.onFailure]];
    case "end":
      return [];
  }
}

/** Every leg that the route may take, in the order in which its ways come by them. */
export function legsOf({ start, nodes }: RouteGraph): readonly LegPlan[] {
  const legs: LegPlan[] = [];
  const known = new Set<string>();
  const waiting = [start];
  for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
    const node = known.has(id) ? undefined : nodes.get(id);
    known.add(id);
    if (node === undefined) continue;
    if (node.kind === "model") legs.push(node.leg);
    if (node.kind === "spread") legs.push(...node.choices.map(({ leg }) => leg));
    waiting.push(...waysOf(node).map(([, next]) => next));
  }
  return legs;
}
