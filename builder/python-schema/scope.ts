import type { Node } from "web-tree-sitter";
import type { PythonModule } from "./module.ts";
import type { PythonRepository } from "./repository.ts";
import type { ClassSymbol, PythonSymbol } from "./symbol.ts";
import { childrenOf, excerptOf } from "./syntax.ts";
import { EnumMember, PythonDict, type PythonKey, type PythonValue } from "./value.ts";

/** Where an expression stands. */
export interface Scope {
  readonly repository: PythonRepository;
  readonly module: PythonModule;
  /** Names of comprehensions and of the functions being evaluated. */
  readonly locals?: ReadonlyMap<string, PythonValue>;
  /** The class whose body holds the expression. */
  readonly owner?: ClassSymbol;
  readonly budget: Budget;
  /** The evaluator itself, handed down because expressions contain expressions of every kind. */
  readonly evaluate: (node: Node, scope: Scope) => PythonValue;
  /** The value that a symbol stands for; `node` is where it is used. */
  readonly evaluateSymbol: (symbol: PythonSymbol, node: Node, scope: Scope) => PythonValue;
}

/** What one evaluation shares. */
export interface Budget {
  /** Steps left. */
  steps: number;
  /** Expressions that stand inside one another right now. */
  depth: number;
  /** Names being evaluated, with the value that their statements gave them so far: `X = getattr(settings, "X", X)`. */
  readonly active: Map<string, PythonValue | undefined>;
}

/** The value cannot be known without running Python. */
export class Unresolved extends Error {
  readonly node: Node;
  constructor(node: Node, reason: string) {
    super(reason);
    this.node = node;
  }
}

/** Counts one step; every loop of the evaluator comes through here, so no source can hold it up or fill the memory. */
export function spendStep(node: Node, scope: Scope): void {
  scope.budget.steps -= 1;
  if (scope.budget.steps < 0) throw new Unresolved(node, "it takes too many steps to work out");
}

/** A scope elsewhere: another module or class body, without this one's local names. */
export function scopeAt(
  scope: Scope,
  place: { readonly module: PythonModule; readonly owner?: ClassSymbol },
): Scope {
  const { repository, budget, evaluate, evaluateSymbol } = scope;
  return { repository, budget, evaluate, evaluateSymbol, ...place };
}

/** Elements of a list, tuple, set or argument list, with `*spread` unfolded. */
export function evaluateItems(nodes: readonly Node[], scope: Scope): PythonValue[] {
  return nodes.flatMap((node) => {
    if (node.type !== "list_splat") return [scope.evaluate(node, scope)];
    return iterate(scope.evaluate(onlyChildOf(node), scope), node);
  });
}

/** The elements that a `for` over the value sees. */
export function iterate(value: PythonValue, node: Node): PythonValue[] {
  if (typeof value === "string") return Array.from(value);
  if (value instanceof PythonDict) return [...value.entries.keys()];
  if (Array.isArray(value)) return [...(value as readonly PythonValue[])];
  throw new Unresolved(node, `\`${excerptOf(node)}\` is not a list`);
}

/** A value as key of a dict. */
export function keyOf(value: PythonValue, node: Node): PythonKey {
  if (value instanceof EnumMember) return keyOf(value.value, node);
  if (value !== null && typeof value === "object") {
    throw new Unresolved(node, `\`${excerptOf(node)}\` is not a plain key`);
  }
  return value;
}

/** In `SCHEDULERS = {"DDIM": DDIMScheduler}` the keys are what a model's choices are made of: a value may stay unknown. */
export function evaluateLeniently(node: Node, scope: Scope): PythonValue {
  try {
    return scope.evaluate(node, scope);
  } catch (error) {
    if (!(error instanceof Unresolved)) throw error;
    return Number.NaN;
  }
}

/** The one expression inside parentheses or behind a `*`. */
export function onlyChildOf(node: Node): Node {
  const [child] = childrenOf(node);
  if (child === undefined) throw new Unresolved(node, "it is empty");
  return child;
}
