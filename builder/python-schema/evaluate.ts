import type { Node } from "web-tree-sitter";
import { evaluateCall } from "./evaluate-call.ts";
import { evaluateComprehension } from "./evaluate-comprehension.ts";
import { evaluateOperator } from "./evaluate-operator.ts";
import { enumMembersOf, isEnum } from "./enum.ts";
import { readNumber, readString } from "./literal.ts";
import type { PythonModule } from "./module.ts";
import type { PythonRepository } from "./repository.ts";
import {
  type Scope,
  Unresolved,
  evaluateItems,
  evaluateLeniently,
  keyOf,
  onlyChildOf,
  scopeAt,
  spendStep,
} from "./scope.ts";
import { applyStatement } from "./statement.ts";
import {
  type ClassSymbol,
  type PythonSymbol,
  resolveExpression,
  resolveMember,
  resolveName,
} from "./symbol.ts";
import { childrenOf, excerptOf, fieldOf } from "./syntax.ts";
import { EnumMember, PythonDict, type PythonValue, isTruthy, textOf } from "./value.ts";

/** Steps of one evaluation: far above any list of choices, far below a second of work. */
const evaluationStepsMax = 50_000;

/** Expressions inside one another, those of constants and functions on the way included; far below the stack's end. */
const evaluationDepthMax = 150;

/** A fresh scope at the top level of a module or class body. */
export function createScope(place: {
  readonly repository: PythonRepository;
  readonly module: PythonModule;
  readonly owner?: ClassSymbol;
}): Scope {
  return {
    ...place,
    budget: { steps: evaluationStepsMax, depth: 0, active: new Map() },
    evaluate,
    evaluateSymbol,
  };
}

/** Evaluates an expression. Throws Unresolved for what only a running Python knows. */
export function evaluate(node: Node, scope: Scope): PythonValue {
  const { budget } = scope;
  spendStep(node, scope);
  if (budget.depth >= evaluationDepthMax) throw new Unresolved(node, "it is nested too deeply");
  budget.depth += 1;
  try {
    return evaluateNode(node, scope);
  } finally {
    budget.depth -= 1;
  }
}

function evaluateNode(node: Node, scope: Scope): PythonValue {
  switch (node.type) {
    case "none":
      return null;
    case "true":
      return true;
    case "false":
      return false;
    case "integer":
    case "float":
      return evaluateNumber(node);
    case "string":
      return evaluateString(node, scope);
    case "concatenated_string":
      return childrenOf(node)
        .map((part) => evaluateString(part, scope))
        .join("");
    case "parenthesized_expression":
      return evaluate(onlyChildOf(node), scope);
    case "list":
    case "tuple":
    case "set":
    case "expression_list":
      return evaluateItems(childrenOf(node), scope);
    case "dictionary":
      return evaluateDictionary(node, scope);
    case "identifier":
      return evaluateName(node, scope);
    case "attribute":
      return evaluateAttribute(node, scope);
    case "subscript":
      return evaluateSubscript(node, scope);
    case "call":
      return evaluateCall(node, scope);
    case "conditional_expression":
      return evaluateConditional(node, scope);
    case "list_comprehension":
    case "set_comprehension":
    case "generator_expression":
    case "dictionary_comprehension":
      return evaluateComprehension(node, scope);
    default:
      return evaluateOperator(node, scope);
  }
}

/** The value of a symbol: a constant, an Enum's members, nothing else. */
function evaluateSymbol(symbol: PythonSymbol, node: Node, scope: Scope): PythonValue {
  if (symbol.kind === "assignment") return evaluateAssignment(symbol, node, scope);
  if (symbol.kind === "class" && isEnum(scope.repository, symbol)) {
    return [...enumMembersOf(symbol, scope).values()];
  }
  if (symbol.kind === "installed") {
    throw new Unresolved(
      node,
      `\`${excerptOf(node)}\` comes from \`${symbol.path}\`, outside the repo`,
    );
  }
  throw new Unresolved(node, `\`${excerptOf(node)}\` is a ${symbol.kind}`);
}

function evaluateNumber(node: Node): number {
  const value = readNumber(node.text);
  if (value === undefined)
    throw new Unresolved(node, `\`${excerptOf(node)}\` is not a plain number`);
  return value;
}

function evaluateString(node: Node, scope: Scope): string {
  const pieces = readString(node);
  if (pieces === undefined)
    throw new Unresolved(node, `\`${excerptOf(node)}\` is not a plain string`);
  return pieces
    .map((piece) => ("text" in piece ? piece.text : textOf(evaluate(piece.expression, scope))))
    .join("");
}

function evaluateDictionary(node: Node, scope: Scope): PythonDict {
  const dict = new PythonDict();
  for (const child of childrenOf(node)) {
    if (child.type === "pair") {
      const key = fieldOf(child, "key");
      const value = fieldOf(child, "value");
      if (key === undefined || value === undefined) continue;
      dict.entries.set(keyOf(evaluate(key, scope), key), evaluateLeniently(value, scope));
    } else if (child.type === "dictionary_splat") {
      const spread = evaluate(onlyChildOf(child), scope);
      if (!(spread instanceof PythonDict))
        throw new Unresolved(child, "it spreads something else than a dict");
      for (const [key, value] of spread.entries) dict.entries.set(key, value);
    }
  }
  return dict;
}

function evaluateName(node: Node, scope: Scope): PythonValue {
  const local = scope.locals?.get(node.text);
  if (local !== undefined) return local;
  const { repository, module, owner } = scope;
  const own =
    owner === undefined ? undefined : resolveMember({ repository, symbol: owner, name: node.text });
  const symbol = own ?? resolveName({ repository, module, name: node.text });
  if (symbol === undefined) throw new Unresolved(node, `nothing defines \`${node.text}\``);
  return evaluateSymbol(symbol, node, scope);
}

function evaluateAttribute(node: Node, scope: Scope): PythonValue {
  const object = fieldOf(node, "object");
  const name = fieldOf(node, "attribute")?.text;
  if (object === undefined || name === undefined) throw new Unresolved(node, "it is incomplete");
  const { repository, module } = scope;
  if (!isLocal(object, scope)) {
    const target = resolveExpression({ repository, module, node: object });
    if (target?.kind === "class" && isEnum(repository, target)) {
      const member = enumMembersOf(target, scope).get(name);
      if (member !== undefined) return member;
    }
    const symbol =
      target === undefined ? undefined : resolveMember({ repository, symbol: target, name });
    if (symbol !== undefined) return evaluateSymbol(symbol, node, scope);
  }
  const value = evaluate(object, scope);
  if (value instanceof EnumMember && name === "value") return value.value;
  if (value instanceof EnumMember && name === "name") return value.name;
  throw new Unresolved(node, `\`${excerptOf(node)}\` is known only when the model runs`);
}

function isLocal(node: Node, scope: Scope): boolean {
  return node.type === "identifier" && scope.locals?.has(node.text) === true;
}

function evaluateSubscript(node: Node, scope: Scope): PythonValue {
  const container = fieldOf(node, "value");
  const index = fieldOf(node, "subscript");
  if (container === undefined || index === undefined)
    throw new Unresolved(node, "it is incomplete");
  const value = evaluate(container, scope);
  if (index.type === "slice") return evaluateSlice(value, index, scope);
  const key = keyOf(evaluate(index, scope), index);
  if (value instanceof PythonDict && value.entries.has(key)) return value.entries.get(key)!;
  if (typeof key === "number" && (Array.isArray(value) || typeof value === "string")) {
    const found = (value as readonly PythonValue[] | string).at(key);
    if (found !== undefined) return found;
  }
  throw new Unresolved(node, `\`${excerptOf(node)}\` is not there`);
}

function evaluateSlice(value: PythonValue, slice: Node, scope: Scope): PythonValue {
  if (!(Array.isArray(value) || typeof value === "string") || /:.*:/.test(slice.text)) {
    throw new Unresolved(slice, `\`${excerptOf(slice)}\` is not a plain slice`);
  }
  const colon = slice.children.findIndex((child) => child?.type === ":");
  const bounds = childrenOf(slice).map((child) => evaluate(child, scope));
  const start = colon === 0 ? undefined : bounds[0];
  const end = colon === 0 ? bounds[0] : bounds[1];
  const sequence = value as readonly PythonValue[] | string;
  return sequence.slice(
    typeof start === "number" ? start : undefined,
    typeof end === "number" ? end : undefined,
  );
}

function evaluateConditional(node: Node, scope: Scope): PythonValue {
  const [whenTrue, condition, whenFalse] = childrenOf(node);
  if (whenTrue === undefined || condition === undefined || whenFalse === undefined) {
    throw new Unresolved(node, "it is incomplete");
  }
  return evaluate(isTruthy(evaluate(condition, scope)) ? whenTrue : whenFalse, scope);
}

function evaluateAssignment(
  symbol: Extract<PythonSymbol, { kind: "assignment" }>,
  node: Node,
  scope: Scope,
): PythonValue {
  const id = `${symbol.module.path}:${symbol.owner?.node.id ?? ""}:${symbol.name}`;
  const { active } = scope.budget;
  if (active.has(id)) {
    const value = active.get(id);
    if (value !== undefined) return value;
    throw new Unresolved(node, `\`${symbol.name}\` is defined by itself`);
  }
  active.set(id, undefined);
  try {
    const inner = scopeAt(scope, {
      module: symbol.module,
      ...(symbol.owner === undefined ? {} : { owner: symbol.owner }),
    });
    for (const statement of symbol.statements) {
      const value = applyStatement({
        statement,
        name: symbol.name,
        value: active.get(id),
        scope: inner,
      });
      active.set(id, value);
    }
    const value = active.get(id);
    if (value === undefined) throw new Unresolved(node, `\`${symbol.name}\` has no value`);
    return value;
  } finally {
    active.delete(id);
  }
}
