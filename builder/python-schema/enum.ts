import type { Node } from "web-tree-sitter";
import type { PythonRepository } from "./repository.ts";
import { type Scope, Unresolved, scopeAt } from "./scope.ts";
import { type ClassSymbol, basesOf, classChainOf, namesOfClass } from "./symbol.ts";
import { fieldOf } from "./syntax.ts";
import { EnumMember, type PythonValue } from "./value.ts";

/** Whether a class of the repo is an Enum. */
export function isEnum(repository: PythonRepository, symbol: ClassSymbol): boolean {
  return classChainOf({ repository, symbol }).some((owner) =>
    basesOf({ repository, symbol: owner }).some(
      (base) => base.kind === "installed" && /^enum\.\w*(Enum|Flag)$/.test(base.path),
    ),
  );
}

/** Members of an Enum in order, by name. Members whose value only a running Python knows are left out. */
export function enumMembersOf(symbol: ClassSymbol, scope: Scope): ReadonlyMap<string, EnumMember> {
  const members = new Map<string, EnumMember>();
  const inner = scopeAt(scope, { module: symbol.module, owner: symbol });
  for (const [name, binding] of namesOfClass(symbol.node)) {
    if (binding.kind !== "assignment" || name.startsWith("_")) continue;
    const right = fieldOf(binding.statements[0]!, "right");
    if (right === undefined) continue;
    const isAuto = /^(enum\.)?auto\(\)$/.test(right.text);
    const value = isAuto ? autoValue(symbol, name, members.size) : valueOf(right, inner);
    if (value !== undefined) members.set(name, new EnumMember({ name, value, owner: symbol }));
  }
  return members;
}

/** `auto()` counts from 1, and is the lower-case name in a StrEnum (Python's `enum` documentation). */
function autoValue(symbol: ClassSymbol, name: string, index: number): PythonValue {
  const bases = fieldOf(symbol.node, "superclasses")?.text ?? "";
  return bases.includes("StrEnum") ? name.toLowerCase() : index + 1;
}

function valueOf(node: Node, scope: Scope): PythonValue | undefined {
  try {
    return scope.evaluate(node, scope);
  } catch (error) {
    if (error instanceof Unresolved) return undefined;
    throw error;
  }
}
