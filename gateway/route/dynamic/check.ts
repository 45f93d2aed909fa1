import { legsOf, waysOf, type LegPlan, type RouteGraph } from "./graph.ts";
import type { Problem } from "./problem.ts";

/**
 * What is wrong with a graph as a whole: a way back, a node to which no way leads, ways that end without a model on
 * them, models that nobody can serve.
 */
export function graphProblems(
  graph: RouteGraph,
  options: { readonly modelProblem: (leg: LegPlan) => string | undefined },
): readonly Problem[] {
  const { nodes } = graph;
  const reached = new Set<string>();
  const problems: Problem[] = [...cycleProblems(graph, reached)];
  for (const [id, node] of nodes) {
    // An end that nothing leads to is only the end of nothing.
    if (!reached.has(id) && node.kind !== "end") {
      problems.push({ path: id, message: "no way leads there from the start" });
    }
  }
  if (legsOf(graph).length === 0) problems.push({ path: "", message: "no model is on any way" });
  const known = new Set<string>();
  for (const leg of legsOf(graph)) {
    if (known.has(leg.path)) continue;
    known.add(leg.path);
    const message = leg.model.startsWith("dynamic/")
      ? "a route cannot lead to another route: name its models here"
      : options.modelProblem(leg);
    if (message !== undefined) problems.push({ path: `${leg.path}.model`, message });
  }
  return problems;
}

/** Walks every way once, noting what it comes by; without recursion, for the depth is the writer's choice. */
function cycleProblems({ start, nodes }: RouteGraph, reached: Set<string>): readonly Problem[] {
  const problems: Problem[] = [];
  const onWay: string[] = [];
  const isOnWay = new Set<string>();
  const open: { readonly id: string; readonly left: string[] }[] = [];
  const enter = (id: string): void => {
    if (isOnWay.has(id)) {
      const circle = [...onWay.slice(onWay.indexOf(id)), id].join(" → ");
      problems.push({ path: id, message: `leads back to itself: ${circle}` });
      return;
    }
    const node = nodes.get(id);
    if (node === undefined || reached.has(id)) return;
    reached.add(id);
    onWay.push(id);
    isOnWay.add(id);
    open.push({ id, left: waysOf(node).map(([, next]) => next) });
  };
  enter(start);
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const next = top.left.shift();
    if (next !== undefined) {
      enter(next);
      continue;
    }
    open.pop();
    onWay.pop();
    isOnWay.delete(top.id);
  }
  return problems;
}
