import type { Node } from "web-tree-sitter";
import {
  type Scope,
  Unresolved,
  evaluateItems,
  evaluateLeniently,
  iterate,
  keyOf,
} from "./scope.ts";
import { childrenOf, excerptOf, fieldOf } from "./syntax.ts";
import { PythonDict, type PythonValue } from "./value.ts";

/** One statement that makes or changes a name's value. */
export function applyStatement({
  statement,
  name,
  value,
  scope,
}: {
  readonly statement: Node;
  readonly name: string;
  readonly value: PythonValue | undefined;
  readonly scope: Scope;
}): PythonValue | undefined {
  const left = fieldOf(statement, "left");
  const right = fieldOf(statement, "right");
  if (statement.type === "assignment" && left?.type === "identifier") {
    return right === undefined ? undefined : scope.evaluate(right, scope);
  }
  if (statement.type === "assignment" && left?.type === "subscript" && right !== undefined) {
    const key = fieldOf(left, "subscript");
    if (value instanceof PythonDict && key !== undefined) {
      const entries = [...value.entries];
      return new PythonDict([
        ...entries,
        [keyOf(scope.evaluate(key, scope), key), evaluateLeniently(right, scope)],
      ]);
    }
  }
  if (statement.type === "assignment" && left !== undefined && right !== undefined) {
    const targets = childrenOf(left).map((target) => target.text);
    const values = iterate(scope.evaluate(right, scope), right);
    const found = values[targets.indexOf(name)];
    if (values.length === targets.length && found !== undefined) return found;
  }
  if (statement.type === "augmented_assignment" && right !== undefined && value !== undefined) {
    const added = scope.evaluate(right, scope);
    if (Array.isArray(value) && Array.isArray(added)) return [...value, ...added] as PythonValue[];
    if (typeof value === "string" && typeof added === "string") return value + added;
    if (typeof value === "number" && typeof added === "number") return value + added;
  }
  if (statement.type === "call" && value !== undefined) {
    return applyMethod({ call: statement, value, scope });
  }
  throw new Unresolved(
    statement,
    `\`${excerptOf(statement)}\` changes \`${name}\` in a way that is only known at run time`,
  );
}

/** `X.append(…)`, `X.extend(…)`, `X.update(…)` at the top level of a module. */
function applyMethod({
  call,
  value,
  scope,
}: {
  readonly call: Node;
  readonly value: PythonValue;
  readonly scope: Scope;
}): PythonValue {
  const method = fieldOf(call, "function")?.childForFieldName("attribute")?.text;
  const list = fieldOf(call, "arguments");
  const values = evaluateItems(list === undefined ? [] : childrenOf(list), scope);
  const [first] = values;
  if (Array.isArray(value) && first !== undefined) {
    const items = value as readonly PythonValue[];
    if (method === "append") return [...items, first];
    if (method === "extend") return [...items, ...iterate(first, call)];
    if (method === "insert" && values.length === 2)
      return items.toSpliced(Number(first), 0, values[1]!);
  }
  if (value instanceof PythonDict && first instanceof PythonDict && method === "update") {
    return new PythonDict([...value.entries, ...first.entries]);
  }
  throw new Unresolved(call, `\`${excerptOf(call)}\` is known only when the model runs`);
}
