import type { Node } from "web-tree-sitter";
import type { PythonModule } from "./module.ts";
import type { PythonField, PythonType } from "./python-type.ts";
import { withoutNone } from "./python-type.ts";
import type { PythonRepository } from "./repository.ts";
import {
  type ClassSymbol,
  baseNodesOf,
  basesOf,
  classChainOf,
  resolveExpression,
} from "./symbol.ts";
import { childrenOf, decoratorsOf, fieldOf } from "./syntax.ts";

/** How a class says that it is a record of fields. */
export type ObjectForm = "model" | "typed-dict";

/** BaseModel (cog's or pydantic's), dataclass, NamedTuple or TypedDict, itself or by inheritance; undefined for a plain class. */
export function isObjectClass(
  repository: PythonRepository,
  symbol: ClassSymbol,
): ObjectForm | undefined {
  for (const owner of classChainOf({ repository, symbol })) {
    for (const base of basesOf({ repository, symbol: owner })) {
      if (base.kind !== "installed") continue;
      const name = base.path.split(".").at(-1);
      if (name === "TypedDict") return "typed-dict";
      if (name === "NamedTuple" || name === "BaseModel") return "model";
    }
    if (baseNodesOf(owner.node).some((node) => /(^|\.)BaseModel$/.test(node.text))) return "model";
    if (isDataclass(repository, owner)) return "model";
  }
  return undefined;
}

function isDataclass(repository: PythonRepository, symbol: ClassSymbol): boolean {
  return decoratorsOf(symbol.node).some((decorator) => {
    const node = decorator.type === "call" ? fieldOf(decorator, "function") : decorator;
    const found =
      node === undefined
        ? undefined
        : resolveExpression({ repository, module: symbol.module, node });
    return found?.kind === "installed" && /(^|\.)dataclass(es\.dataclass)?$/.test(found.path);
  });
}

/** Fields in order, those of base classes first; a field declared again keeps its place. */
export function objectFieldsOf({
  repository,
  symbol,
  form,
  read,
}: {
  readonly repository: PythonRepository;
  readonly symbol: ClassSymbol;
  readonly form: ObjectForm;
  /** Reads an annotation of a module. */
  readonly read: (annotation: Node, module: PythonModule) => PythonType;
}): PythonField[] {
  const fields = new Map<string, PythonField>();
  for (const owner of classChainOf({ repository, symbol }).toReversed()) {
    const isTotal = !/\btotal\s*=\s*False\b/.test(fieldOf(owner.node, "superclasses")?.text ?? "");
    for (const node of annotatedNamesOf(owner.node)) {
      const name = fieldOf(node, "left")!.text;
      const annotation = fieldOf(node, "type")!;
      if (name.startsWith("_") || name === "model_config" || /\bClassVar\b/.test(annotation.text)) {
        continue;
      }
      const type = read(annotation, owner.module);
      const isRequired =
        form === "typed-dict"
          ? isKeyRequired(annotation.text, isTotal)
          : !hasDefault(fieldOf(node, "right")) && !withoutNone(type).isNullable;
      fields.set(name, { name, type, isRequired });
    }
  }
  return [...fields.values()];
}

function isKeyRequired(annotation: string, isTotal: boolean): boolean {
  if (/\bNotRequired\s*\[/.test(annotation)) return false;
  return /\bRequired\s*\[/.test(annotation) || isTotal;
}

/** `= Field(description=…)` and `= Field(...)` are no defaults. */
function hasDefault(right: Node | undefined): boolean {
  if (right === undefined) return false;
  if (right.type !== "call" || !/(^|\.)[Ff]ield$/.test(fieldOf(right, "function")?.text ?? "")) {
    return true;
  }
  const list = fieldOf(right, "arguments");
  return (list === undefined ? [] : childrenOf(list)).some((child) =>
    child.type === "keyword_argument"
      ? /^default(_factory)?$/.test(fieldOf(child, "name")?.text ?? "")
      : child.type !== "ellipsis",
  );
}

function annotatedNamesOf(classNode: Node): Node[] {
  const body = fieldOf(classNode, "body");
  if (body === undefined) return [];
  return childrenOf(body)
    .filter((statement) => statement.type === "expression_statement")
    .flatMap((statement) => childrenOf(statement))
    .filter(
      (node) =>
        node.type === "assignment" &&
        fieldOf(node, "type") !== undefined &&
        fieldOf(node, "left")?.type === "identifier",
    );
}
