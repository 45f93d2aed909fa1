import type { Node } from "web-tree-sitter";
import { type Scope, Unresolved } from "./scope.ts";
import { childrenOf, excerptOf, fieldOf } from "./syntax.ts";
import { PythonDict, type PythonValue, isEqual, isTruthy, textOf } from "./value.ts";

/** Unary, binary, boolean and comparison operators; throws Unresolved for every other kind of node. */
export function evaluateOperator(node: Node, scope: Scope): PythonValue {
  switch (node.type) {
    case "unary_operator":
      return evaluateUnary(node, scope);
    case "binary_operator":
      return evaluateBinary(node, scope);
    case "not_operator":
      return !isTruthy(scope.evaluate(childrenOf(node)[0]!, scope));
    case "boolean_operator":
      return evaluateBoolean(node, scope);
    case "comparison_operator":
      return evaluateComparison(node, scope);
    default:
      throw new Unresolved(node, `\`${excerptOf(node)}\` is known only when the model runs`);
  }
}

function evaluateUnary(node: Node, scope: Scope): PythonValue {
  const argument = fieldOf(node, "argument");
  const value = argument === undefined ? undefined : scope.evaluate(argument, scope);
  if (typeof value !== "number")
    throw new Unresolved(node, `\`${excerptOf(node)}\` is not a number`);
  const operator = node.child(0)?.type;
  if (operator === "-") return -value;
  return operator === "~" ? ~value : value;
}

function evaluateBoolean(node: Node, scope: Scope): PythonValue {
  const left = fieldOf(node, "left")!;
  const right = fieldOf(node, "right")!;
  const value = scope.evaluate(left, scope);
  const isDecided = fieldOf(node, "operator")?.type === "or" ? isTruthy(value) : !isTruthy(value);
  return isDecided ? value : scope.evaluate(right, scope);
}

function evaluateBinary(node: Node, scope: Scope): PythonValue {
  const left = scope.evaluate(fieldOf(node, "left")!, scope);
  const right = scope.evaluate(fieldOf(node, "right")!, scope);
  const operator = fieldOf(node, "operator")?.type ?? "";
  const result =
    typeof left === "number" && typeof right === "number"
      ? arithmetic[operator]?.(left, right)
      : combine({ left, right, operator });
  if (result === undefined || (typeof result === "number" && Number.isNaN(result))) {
    throw new Unresolved(node, `\`${excerptOf(node)}\` is known only when the model runs`);
  }
  return result;
}

const arithmetic: Readonly<Record<string, (left: number, right: number) => number>> = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
  "//": (left, right) => Math.floor(left / right),
  // Python's remainder takes the sign of the divisor.
  "%": (left, right) => left - right * Math.floor(left / right),
  "**": (left, right) => left ** right,
  "<<": (left, right) => left * 2 ** right,
};

/** Longest string or list that an operator may make, in characters or items: far above any prompt template. */
const lengthMax = 100_000;

function combine({
  left,
  right,
  operator,
}: {
  readonly left: PythonValue;
  readonly right: PythonValue;
  readonly operator: string;
}): PythonValue | undefined {
  if (lengthOf(left) + lengthOf(right) > lengthMax) return undefined;
  if (operator === "+" && typeof left === "string" && typeof right === "string")
    return left + right;
  if (operator === "+" && Array.isArray(left) && Array.isArray(right)) {
    return [...left, ...right] as PythonValue[];
  }
  if (operator === "|" && left instanceof PythonDict && right instanceof PythonDict) {
    return new PythonDict([...left.entries, ...right.entries]);
  }
  if (operator === "|" && Array.isArray(left) && Array.isArray(right)) {
    const items = [...left, ...right] as PythonValue[];
    return items.filter(
      (item, index) => items.findIndex((other) => isEqual(other, item)) === index,
    );
  }
  if (operator === "*" && typeof right === "number" && right * lengthOf(left) <= lengthMax) {
    const times = Math.max(0, right);
    if (typeof left === "string") return left.repeat(times);
    if (Array.isArray(left))
      return Array.from({ length: times }, () => left).flat() as PythonValue[];
  }
  if (operator === "%" && typeof left === "string" && !left.includes("%(")) {
    const values = Array.isArray(right) ? [...(right as readonly PythonValue[])] : [right];
    return left.replaceAll(/%[sd]/g, () => textOf(values.shift() ?? null));
  }
  return undefined;
}

function lengthOf(value: PythonValue): number {
  return typeof value === "string" || Array.isArray(value) ? value.length : 0;
}

function evaluateComparison(node: Node, scope: Scope): PythonValue {
  const operands = childrenOf(node).map((child) => scope.evaluate(child, scope));
  const operators = node.childrenForFieldName("operators").flatMap((child) => child?.type ?? []);
  if (operands.length !== 2 || operators.length !== 1) {
    throw new Unresolved(node, `\`${excerptOf(node)}\` is known only when the model runs`);
  }
  const [left, right] = operands as [PythonValue, PythonValue];
  switch (operators[0]) {
    case "==":
    case "is":
      return isEqual(left, right);
    case "!=":
    case "is not":
      return !isEqual(left, right);
    case "in":
      return contains(right, left);
    case "not in":
      return !contains(right, left);
    default:
      return compare({ node, left, right, operator: operators[0]! });
  }
}

function contains(container: PythonValue, item: PythonValue): boolean {
  if (typeof container === "string") return typeof item === "string" && container.includes(item);
  if (container instanceof PythonDict) {
    return [...container.entries.keys()].some((key) => isEqual(key, item));
  }
  return Array.isArray(container) && container.some((other: PythonValue) => isEqual(other, item));
}

function compare({
  node,
  left,
  right,
  operator,
}: {
  readonly node: Node;
  readonly left: PythonValue;
  readonly right: PythonValue;
  readonly operator: string;
}): boolean {
  const isOrdered =
    (typeof left === "number" && typeof right === "number") ||
    (typeof left === "string" && typeof right === "string");
  if (!isOrdered) throw new Unresolved(node, `\`${excerptOf(node)}\` cannot be compared`);
  if (operator === "<") return left < right;
  if (operator === "<=") return left <= right;
  if (operator === ">") return left > right;
  return left >= right;
}
