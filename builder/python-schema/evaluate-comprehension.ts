import type { Node } from "web-tree-sitter";
import { type Scope, Unresolved, iterate, keyOf, spendStep } from "./scope.ts";
import { childrenOf, fieldOf } from "./syntax.ts";
import { PythonDict, type PythonValue, isTruthy } from "./value.ts";

/** `[x.name for x in ITEMS if x.ok]` and its set, dict and generator forms. */
export function evaluateComprehension(node: Node, scope: Scope): PythonValue {
  const body = fieldOf(node, "body");
  if (body === undefined) throw new Unresolved(node, "it is incomplete");
  const clauses = childrenOf(node).filter((child) => child.id !== body.id);
  const scopes = clauses.reduce<Scope[]>(applyClause, [scope]);
  if (node.type !== "dictionary_comprehension") {
    return scopes.map((inner) => scope.evaluate(body, inner));
  }
  const key = fieldOf(body, "key")!;
  const value = fieldOf(body, "value")!;
  return new PythonDict(
    scopes.map(
      (inner) => [keyOf(scope.evaluate(key, inner), key), scope.evaluate(value, inner)] as const,
    ),
  );
}

function applyClause(scopes: Scope[], clause: Node): Scope[] {
  if (clause.type === "if_clause") {
    const condition = childrenOf(clause)[0]!;
    return scopes.filter((scope) => isTruthy(scope.evaluate(condition, scope)));
  }
  const target = fieldOf(clause, "left");
  const source = fieldOf(clause, "right");
  if (target === undefined || source === undefined)
    throw new Unresolved(clause, "it is incomplete");
  return scopes.flatMap((scope) =>
    iterate(scope.evaluate(source, scope), source).map((item) => bind({ scope, target, item })),
  );
}

function bind({
  scope,
  target,
  item,
}: {
  readonly scope: Scope;
  readonly target: Node;
  readonly item: PythonValue;
}): Scope {
  spendStep(target, scope);
  const locals = new Map(scope.locals);
  if (target.type === "identifier") {
    locals.set(target.text, item);
  } else {
    const names = childrenOf(target);
    const values = iterate(item, target);
    if (names.length !== values.length) throw new Unresolved(target, "it does not unpack evenly");
    for (const [index, name] of names.entries()) locals.set(name.text, values[index]!);
  }
  return { ...scope, locals };
}
