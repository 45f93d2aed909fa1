import type { Node } from "web-tree-sitter";
import {
  type Binding,
  type ModuleReference,
  type Names,
  type PythonModule,
  readClassNames,
} from "./module.ts";
import type { PythonRepository } from "./repository.ts";
import { childrenOf, fieldOf } from "./syntax.ts";

/** What a name stands for, followed through imports to where it is defined. */
export type PythonSymbol =
  | ClassSymbol
  | { readonly kind: "function"; readonly node: Node; readonly module: PythonModule }
  | {
      readonly kind: "assignment";
      readonly statements: readonly Node[];
      readonly name: string;
      readonly module: PythonModule;
      /** The class whose body holds it. */
      readonly owner?: ClassSymbol;
    }
  | { readonly kind: "module"; readonly module: PythonModule }
  /** Outside the repo: `typing.List`, `builtins.int`, `torch.Tensor`. */
  | { readonly kind: "installed"; readonly path: string };

export interface ClassSymbol {
  readonly kind: "class";
  readonly node: Node;
  readonly module: PythonModule;
}

/** Follows a name from a module to its definition; undefined when nothing defines it. */
export function resolveName({
  repository,
  module,
  name,
  depth = 0,
}: {
  readonly repository: PythonRepository;
  readonly module: PythonModule;
  readonly name: string;
  readonly depth?: number;
}): PythonSymbol | undefined {
  if (depth > importDepthMax) return undefined;
  const binding = module.names.get(name);
  if (binding !== undefined) {
    return symbolOfBinding({ repository, module, binding, name, depth });
  }
  for (const reference of module.starImports) {
    const source = repository.module({ reference, from: module });
    const found =
      source === undefined
        ? undefined
        : resolveName({ repository, module: source, name, depth: depth + 1 });
    if (found !== undefined && !isBuiltin(found)) return found;
  }
  if (builtinNames.has(name)) return { kind: "installed", path: `builtins.${name}` };
  const known = wellKnownNames.get(name);
  return known === undefined ? undefined : { kind: "installed", path: known };
}

/** `symbol.name`: a member of a module, a class of the repo, or something installed. */
export function resolveMember({
  repository,
  symbol,
  name,
}: {
  readonly repository: PythonRepository;
  readonly symbol: PythonSymbol;
  readonly name: string;
}): PythonSymbol | undefined {
  if (symbol.kind === "module") {
    if (symbol.module.names.has(name) || symbol.module.starImports.length > 0) {
      return resolveName({ repository, module: symbol.module, name });
    }
    const reference = { level: 1, name };
    const found = repository.module({ reference, from: symbol.module });
    return found === undefined ? undefined : { kind: "module", module: found };
  }
  if (symbol.kind === "installed") return { kind: "installed", path: `${symbol.path}.${name}` };
  if (symbol.kind === "class") return classMember({ repository, symbol, name });
  return undefined;
}

/** Follows `a`, `a.b`, `a.b.c` of an identifier or attribute node. */
export function resolveExpression({
  repository,
  module,
  node,
  depth = 0,
}: {
  readonly repository: PythonRepository;
  readonly module: PythonModule;
  readonly node: Node;
  /** Attributes that follow. */
  readonly depth?: number;
}): PythonSymbol | undefined {
  if (depth > importDepthMax) return undefined;
  if (node.type === "identifier") return resolveName({ repository, module, name: node.text });
  if (node.type !== "attribute") return undefined;
  const object = fieldOf(node, "object");
  const name = fieldOf(node, "attribute")?.text;
  if (object === undefined || name === undefined) return undefined;
  const symbol = resolveExpression({ repository, module, node: object, depth: depth + 1 });
  return symbol === undefined ? undefined : resolveMember({ repository, symbol, name });
}

/** Base classes as written: `Base`, `cog.BasePredictor`, the `Generic` of `Generic[T]`; keyword arguments left out. */
export function baseNodesOf(classNode: Node): Node[] {
  const list = fieldOf(classNode, "superclasses");
  if (list === undefined) return [];
  return childrenOf(list)
    .filter((child) => child.type !== "keyword_argument")
    .map((child) => (child.type === "subscript" ? (fieldOf(child, "value") ?? child) : child));
}

/** Base classes followed to their definitions; those that nothing defines are left out. */
export function basesOf({
  repository,
  symbol,
}: {
  readonly repository: PythonRepository;
  readonly symbol: ClassSymbol;
}): PythonSymbol[] {
  return baseNodesOf(symbol.node).flatMap((node) => {
    const base = resolveExpression({ repository, module: symbol.module, node });
    return base === undefined || base === symbol ? [] : [base];
  });
}

/** The class itself, then every class of the repo that it inherits from, nearest first. */
export function classChainOf({
  repository,
  symbol,
}: {
  readonly repository: PythonRepository;
  readonly symbol: ClassSymbol;
}): ClassSymbol[] {
  const chain: ClassSymbol[] = [];
  const pending: ClassSymbol[] = [symbol];
  while (pending.length > 0 && chain.length < importDepthMax) {
    const next = pending.shift()!;
    if (chain.some((known) => known.node.id === next.node.id && known.module === next.module)) {
      continue;
    }
    chain.push(next);
    for (const base of basesOf({ repository, symbol: next })) {
      if (base.kind === "class") pending.push(base);
    }
  }
  return chain;
}

/** Longest chain of re-exports, attributes or base classes followed; a cycle ends here. */
const importDepthMax = 32;

function symbolOfBinding({
  repository,
  module,
  binding,
  name,
  depth,
}: {
  readonly repository: PythonRepository;
  readonly module: PythonModule;
  readonly binding: Binding;
  readonly name: string;
  readonly depth: number;
}): PythonSymbol | undefined {
  if (binding.kind === "class" || binding.kind === "function") {
    return { kind: binding.kind, node: binding.node, module };
  }
  if (binding.kind === "assignment") {
    return { kind: "assignment", statements: binding.statements, name, module };
  }
  const { reference } = binding;
  const source = repository.module({ reference, from: module });
  if (binding.kind === "module") {
    return source === undefined
      ? { kind: "installed", path: reference.name }
      : { kind: "module", module: source };
  }
  if (source !== undefined) {
    const found = resolveOwnName({ repository, module: source, name: binding.name, depth });
    if (found !== undefined) return found;
  }
  const inner = [reference.name, binding.name].filter((part) => part !== "").join(".");
  const submodule = repository.module({
    reference: { level: reference.level, name: inner },
    from: module,
  });
  if (submodule !== undefined) return { kind: "module", module: submodule };
  return { kind: "installed", path: `${textOfReference(reference)}.${binding.name}` };
}

/** Like resolveName without Python's builtins: `from x import list` means x's. */
function resolveOwnName({
  repository,
  module,
  name,
  depth,
}: {
  readonly repository: PythonRepository;
  readonly module: PythonModule;
  readonly name: string;
  readonly depth: number;
}): PythonSymbol | undefined {
  if (!module.names.has(name) && module.starImports.length === 0) return undefined;
  const found = resolveName({ repository, module, name, depth: depth + 1 });
  return found !== undefined && isBuiltin(found) ? undefined : found;
}

function textOfReference(reference: ModuleReference): string {
  return `${".".repeat(reference.level)}${reference.name}`;
}

function isBuiltin(symbol: PythonSymbol): boolean {
  return symbol.kind === "installed" && symbol.path.startsWith("builtins.");
}

const classNamesByNode = new WeakMap<Node, Names>();

function classMember({
  repository,
  symbol,
  name,
}: {
  readonly repository: PythonRepository;
  readonly symbol: ClassSymbol;
  readonly name: string;
}): PythonSymbol | undefined {
  for (const owner of classChainOf({ repository, symbol })) {
    const binding = namesOfClass(owner.node).get(name);
    if (binding === undefined) continue;
    const found = symbolOfBinding({ repository, module: owner.module, binding, name, depth: 0 });
    return found?.kind === "assignment" ? { ...found, owner } : found;
  }
  return undefined;
}

/** Names of a class body, read once per class. */
export function namesOfClass(classNode: Node): Names {
  let names = classNamesByNode.get(classNode);
  if (names === undefined) {
    names = readClassNames(classNode);
    classNamesByNode.set(classNode, names);
  }
  return names;
}

const builtinNames: ReadonlySet<string> = new Set(
  (
    "bool float int str bytes dict list tuple set frozenset object type len range min max sum abs round sorted " +
    "reversed enumerate zip getattr any all print open isinstance map filter"
  ).split(" "),
);

/** Names that mean the same in every predictor, for files that forget the import or import with a star. */
const wellKnownNames: ReadonlyMap<string, string> = new Map([
  ...["Path", "File", "Secret", "Input", "BaseModel", "BasePredictor", "BaseRunner"].map(
    (name) => [name, `cog.${name}`] as const,
  ),
  ...["ConcatenateIterator", "AsyncConcatenateIterator", "Opaque"].map(
    (name) => [name, `cog.${name}`] as const,
  ),
  ...["Any", "List", "Dict", "Optional", "Union", "Literal", "Annotated", "Iterator"].map(
    (name) => [name, `typing.${name}`] as const,
  ),
  ...["AsyncIterator", "TypedDict", "Tuple", "Set", "Generator"].map(
    (name) => [name, `typing.${name}`] as const,
  ),
]);
