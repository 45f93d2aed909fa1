import type { Node } from "web-tree-sitter";
import { type Scope, evaluateItems } from "./scope.ts";
import { resolveExpression } from "./symbol.ts";
import { childrenOf, fieldOf } from "./syntax.ts";
import type { PythonValue } from "./value.ts";

/** Values of `Literal["a", "b"]`, or of a name that stands for one; undefined for any other type. */
export function literalValuesOf(
  node: Node | undefined,
  scope: Scope,
  depth = 0,
): PythonValue[] | undefined {
  if (node === undefined || depth > aliasesMax) return undefined;
  const { repository, module } = scope;
  if (node.type === "subscript") {
    const value = fieldOf(node, "value");
    const symbol =
      value === undefined ? undefined : resolveExpression({ repository, module, node: value });
    if (symbol?.kind !== "installed" || !/^typing(_extensions)?\.Literal$/.test(symbol.path)) {
      return undefined;
    }
    return evaluateItems(
      childrenOf(node).filter((child) => child.id !== value!.id),
      scope,
    );
  }
  const symbol = resolveExpression({ repository, module, node });
  if (symbol?.kind !== "assignment") return undefined;
  const right = fieldOf(symbol.statements[0]!, "right");
  return literalValuesOf(right, { ...scope, module: symbol.module }, depth + 1);
}

/** Names that stand for one another in a row; a circle ends here. */
const aliasesMax = 16;
