import { createHash } from "node:crypto";

import type { LimitRule } from "../limits/rule.ts";
import { holds } from "./condition.ts";
import { fieldOf, type CallFacts } from "./facts.ts";
import type { Choice, LegPlan, RouteGraph, RouteNode } from "./graph.ts";

/** What was decided at a step of a route, for whoever wants to know why. */
export interface Decision {
  readonly node: string;
  readonly kind: RouteNode["kind"];
  /** The way that was taken, such as `true`, `10%` or `fallback`; for a model whether it is tried. */
  readonly way: string;
  /** What it was decided by: the condition, the draw, how the limit stands. */
  readonly by?: unknown;
}

/** A model that a call tries, in its turn. */
export interface PlannedLeg {
  readonly node: string;
  readonly plan: LegPlan;
  /** Limits to be charged when it begins. */
  readonly gates: readonly LimitRule[];
}

export interface Evaluation {
  readonly legs: readonly PlannedLeg[];
  readonly decisions: readonly Decision[];
  /** The limit at which the route ended before it came to a model. */
  readonly refusedBy?: LimitRule;
}

export interface EvaluateOptions {
  readonly facts: CallFacts;
  /** From 0 to 1, 1 not included. */
  readonly random: () => number;
  /**
   * Whether a call may pass a limit; `by` is told to whoever asks why. `isFirst`: no leg comes before it, so that it is
   * charged at once, not when a leg behind it begins.
   */
  readonly mayPass: (
    rule: LimitRule,
    isFirst: boolean,
  ) => { readonly isOpen: boolean; readonly by?: unknown };
}

/** Walks a checked graph for one call. Each node is passed once at most, so that it ends. */
export function evaluate(graph: RouteGraph, options: EvaluateOptions): Evaluation {
  const walk = new Walk(graph, options);
  let id: string | undefined = graph.start;
  for (let steps = 0; id !== undefined && steps <= graph.nodes.size; steps += 1) {
    const node = graph.nodes.get(id);
    id = node === undefined ? undefined : walk.step(id, node);
  }
  return walk.result();
}

class Walk {
  readonly #graph: RouteGraph;
  readonly #options: EvaluateOptions;
  readonly #legs: PlannedLeg[] = [];
  readonly #decisions: Decision[] = [];
  #gates: LimitRule[] = [];
  #refusedBy: LimitRule | undefined;

  constructor(graph: RouteGraph, options: EvaluateOptions) {
    this.#graph = graph;
    this.#options = options;
  }

  result(): Evaluation {
    return {
      legs: this.#legs,
      decisions: this.#decisions,
      ...(this.#refusedBy !== undefined &&
        this.#legs.length === 0 && { refusedBy: this.#refusedBy }),
    };
  }

  /** The next node, or undefined at the end. */
  step(id: string, node: RouteNode): string | undefined {
    switch (node.kind) {
      case "branch": {
        const isTrue = holds(node.condition, this.#options.facts);
        this.#decide(id, node, String(isTrue), node.condition);
        return isTrue ? node.whenTrue : node.whenFalse;
      }
      case "split":
        return this.#split(id, node);
      case "spread":
        this.#spread(id, node);
        return node.next;
      case "gate":
        return this.#pass(id, node.rule) ? node.within : this.#refuse(node);
      case "model":
        this.#plan(id, node.leg);
        this.#decide(id, node, this.#legs.length === 1 ? "first" : "on failure");
        return node.onFailure;
      case "end":
        return undefined;
    }
  }

  #split(id: string, node: RouteNode & { readonly kind: "split" }): string | undefined {
    const total = node.shares.reduce((sum, { percent }) => sum + percent, 0);
    const draw = this.#draw(id) * total;
    let sum = 0;
    const drawn = node.shares.find(({ percent }) => {
      sum += percent;
      return draw < sum;
    });
    const share = drawn ?? node.shares.findLast(({ percent }) => percent > 0);
    this.#decide(id, node, share?.label ?? "none", { draw: round(draw), of: round(total) });
    return share?.next;
  }

  /** Each choice in the order in which weights drew it: what is drawn first is tried first. */
  #spread(id: string, node: RouteNode & { readonly kind: "spread" }): void {
    const { facts } = this.#options;
    const left = node.choices.filter(({ when }) => when === undefined || holds(when, facts));
    for (let turn = 0; left.length > 0; turn += 1) {
      const at = weighted(left, this.#draw(turn === 0 ? id : `${id}#${turn}`));
      const [choice] = left.splice(at, 1);
      if (choice === undefined) break;
      const { leg, gate } = choice;
      // A limit in a spread holds for its own choice only.
      const before = this.#gates;
      if (gate !== undefined && !this.#pass(leg.path, gate)) {
        this.#gates = before;
        continue;
      }
      this.#plan(leg.path, leg);
      this.#decide(leg.path, node, this.#legs.length === 1 ? "first" : "on failure", {
        weight: choice.weight,
      });
    }
  }

  #pass(id: string, rule: LimitRule): boolean {
    const { isOpen, by } = this.#options.mayPass(rule, this.#legs.length === 0);
    this.#decisions.push({
      node: id,
      kind: "gate",
      way: isOpen ? "success" : "fallback",
      ...(by !== undefined && { by }),
    });
    if (isOpen) this.#gates = [...this.#gates, rule];
    else this.#refusedBy = rule;
    return isOpen;
  }

  #refuse(node: RouteNode & { readonly kind: "gate" }): string | undefined {
    return node.exceeded;
  }

  /** The gates on the way to a leg are charged with it. */
  #plan(node: string, plan: LegPlan): void {
    this.#legs.push({ node, plan, gates: this.#gates });
    this.#gates = [];
  }

  #draw(id: string): number {
    const { stickyBy } = this.#graph;
    const value = stickyBy === undefined ? undefined : fieldOf(this.#options.facts, stickyBy);
    if (value === undefined || value === null) return this.#options.random();
    return drawOf(`${id}\n${JSON.stringify(value)}`);
  }

  #decide(node: string, { kind }: RouteNode, way: string, by?: unknown): void {
    this.#decisions.push({ node, kind, way, ...(by !== undefined && { by }) });
  }
}

function weighted(choices: readonly Choice[], draw: number): number {
  const total = choices.reduce((sum, { weight }) => sum + weight, 0);
  let sum = 0;
  const at = choices.findIndex(({ weight }) => {
    sum += weight;
    return draw * total < sum;
  });
  return at === -1 ? choices.length - 1 : at;
}

/** A number from 0 to 1 that is always the same for a text, and spread evenly over texts. */
export function drawOf(text: string): number {
  const digest = createHash("sha256").update(text).digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
