import type { Node } from "web-tree-sitter";
import type { CallArguments } from "./builtins.ts";
import { type Scope, Unresolved, scopeAt } from "./scope.ts";
import { applyStatement } from "./statement.ts";
import type { PythonSymbol } from "./symbol.ts";
import { childrenOf, excerptOf, fieldOf } from "./syntax.ts";
import { type PythonValue, isTruthy } from "./value.ts";

/** Calls nested deeper than this are not followed. */
const callDepthMax = 20;

/** Evaluates a small function of the repo: assignments, `if`, `return`. Helpers that return an Input are of this kind. */
export function callFunction({
  call,
  symbol,
  arguments: given,
  scope,
}: {
  readonly call: Node;
  readonly symbol: Extract<PythonSymbol, { kind: "function" }>;
  readonly arguments: CallArguments;
  readonly scope: Scope;
}): PythonValue {
  const id = `call ${symbol.node.id} ${scope.budget.active.size}`;
  if (scope.budget.active.size > callDepthMax) throw new Unresolved(call, "it calls itself");
  scope.budget.active.set(id, undefined);
  try {
    const inner = scopeAt(scope, { module: symbol.module });
    const locals = bindParameters({ call, symbol, given, scope: inner });
    const body = fieldOf(symbol.node, "body");
    const result = body === undefined ? undefined : runBlock(body, inner, locals);
    return result === undefined ? null : result.value;
  } finally {
    scope.budget.active.delete(id);
  }
}

function bindParameters({
  call,
  symbol,
  given,
  scope,
}: {
  readonly call: Node;
  readonly symbol: Extract<PythonSymbol, { kind: "function" }>;
  readonly given: CallArguments;
  readonly scope: Scope;
}): Map<string, PythonValue> {
  const locals = new Map<string, PythonValue>();
  const parameters = childrenOf(fieldOf(symbol.node, "parameters")!).filter(
    (node) => !["self", "cls"].includes(node.text) && !node.type.endsWith("_separator"),
  );
  for (const [index, parameter] of parameters.entries()) {
    const name =
      fieldOf(parameter, "name")?.text ?? childrenOf(parameter)[0]?.text ?? parameter.text;
    const byDefault = fieldOf(parameter, "value");
    const value = given.positional[index] ?? given.named.get(name);
    if (value !== undefined) locals.set(name, value);
    else if (given.named.has(name) || given.positional.length > index) locals.set(name, null);
    else if (byDefault !== undefined) locals.set(name, scope.evaluate(byDefault, scope));
    else throw new Unresolved(call, `\`${excerptOf(call)}\` is known only when the model runs`);
  }
  return locals;
}

/** Runs statements until one returns; undefined when none does. */
function runBlock(
  block: Node,
  scope: Scope,
  locals: Map<string, PythonValue>,
): { readonly value: PythonValue } | undefined {
  for (const statement of childrenOf(block)) {
    const inner = { ...scope, locals };
    if (statement.type === "return_statement") {
      const [expression] = childrenOf(statement);
      return { value: expression === undefined ? null : scope.evaluate(expression, inner) };
    }
    if (statement.type === "if_statement") {
      const result = runIf(statement, inner, locals);
      if (result !== undefined) return result;
      continue;
    }
    if (statement.type === "pass_statement") continue;
    const [expression] = childrenOf(statement);
    if (expression?.type === "string") continue;
    const left = expression === undefined ? undefined : fieldOf(expression, "left");
    if (expression === undefined || left?.type !== "identifier") {
      throw new Unresolved(statement, `\`${excerptOf(statement)}\` runs only with the model`);
    }
    const name = left.text;
    const value = applyStatement({
      statement: expression,
      name,
      value: locals.get(name),
      scope: inner,
    });
    if (value !== undefined) locals.set(name, value);
  }
  return undefined;
}

function runIf(
  statement: Node,
  scope: Scope,
  locals: Map<string, PythonValue>,
): { readonly value: PythonValue } | undefined {
  const branches = [statement, ...statement.childrenForFieldName("alternative")];
  for (const branch of branches) {
    if (branch === null) continue;
    const condition = fieldOf(branch, "condition");
    if (condition !== undefined && !isTruthy(scope.evaluate(condition, { ...scope, locals })))
      continue;
    const body = fieldOf(branch, "consequence") ?? fieldOf(branch, "body");
    return body === undefined ? undefined : runBlock(body, scope, locals);
  }
  return undefined;
}
