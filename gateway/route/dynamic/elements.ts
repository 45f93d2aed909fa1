import { planOf, type RouteDocument } from "./document.ts";
import { waysOf, type LegPlan, type RouteNode } from "./graph.ts";

/**
 * A route in the short form as Cloudflare's elements, so that its clients can read it: nodes keep their ids, and what
 * Cloudflare has no element for (several models by weight) is shown as shares.
 */
export function elementsOf(document: RouteDocument, name: string): readonly unknown[] {
  const { start, nodes } = planOf(document, name).graph;
  return [
    { id: "start", type: "start", outputs: { next: { elementId: start } } },
    ...[...nodes].flatMap(([id, node]) => elementOf(id, node)),
  ];
}

function elementOf(id: string, node: RouteNode): readonly unknown[] {
  const outputs = Object.fromEntries(
    waysOf(node).map(([way, next]) => [way, { elementId: next }] as const),
  );
  switch (node.kind) {
    case "branch":
      return [{ id, type: "conditional", properties: { conditions: node.condition }, outputs }];
    case "split":
      return [
        {
          id,
          type: "percentage",
          outputs: Object.fromEntries(
            node.shares.map(({ label, percent, next }) => [
              label === "else" ? "else" : `${percent}%`,
              { elementId: next },
            ]),
          ),
        },
      ];
    case "spread":
      return spreadElements(id, node);
    case "gate": {
      const { rule } = node;
      const [limitType, limit] =
        rule.requests !== undefined
          ? ["count", rule.requests]
          : rule.usd !== undefined
            ? ["cost", rule.usd]
            : ["tokens", rule.tokens ?? rule.concurrency ?? 0];
      const [key = ""] = rule.per;
      const properties = { limitType, limit, key, window: rule.windowMs / 1_000 };
      return [{ id, type: "rate", properties, outputs }];
    }
    case "model":
      return [modelElement(id, node.leg, node.onFailure ?? "end")];
    case "end":
      return [{ id, type: "end", outputs: {} }];
  }
}

function spreadElements(
  id: string,
  node: RouteNode & { readonly kind: "spread" },
): readonly unknown[] {
  const total = node.choices.reduce((sum, { weight }) => sum + weight, 0);
  const shares = node.choices.map(({ weight, leg }, index) => [
    `${Math.round((weight / total) * 10_000) / 100}%${index === 0 ? "" : ` ${leg.path}`}`,
    { elementId: `${id}/${leg.path}` },
  ]);
  return [
    { id, type: "percentage", outputs: Object.fromEntries(shares) },
    ...node.choices.map(({ leg }) => modelElement(`${id}/${leg.path}`, leg, node.next)),
  ];
}

function modelElement(id: string, { model, provider, policy }: LegPlan, fallback: string): unknown {
  return {
    id,
    type: "model",
    properties: {
      model,
      ...(provider !== undefined && { provider }),
      ...(policy?.attempts !== undefined && { retries: policy.attempts - 1 }),
      ...(policy?.deadlines?.firstOutputMs !== undefined && {
        timeout: policy.deadlines.firstOutputMs,
      }),
    },
    outputs: { success: { elementId: "end" }, fallback: { elementId: fallback } },
  };
}
