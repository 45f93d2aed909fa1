import type { Node } from "web-tree-sitter";
import { enumMembersOf, isEnum } from "./enum.ts";
import { createScope } from "./evaluate.ts";
import { literalValuesOf } from "./literal-type.ts";
import { readString } from "./literal.ts";
import type { PythonModule } from "./module.ts";
import { isObjectClass, objectFieldsOf } from "./object-class.ts";
import { type PythonType, unionOf } from "./python-type.ts";
import type { PythonRepository } from "./repository.ts";
import { Unresolved } from "./scope.ts";
import { type ClassSymbol, type PythonSymbol, resolveExpression } from "./symbol.ts";
import { childrenOf, excerptOf, fieldOf } from "./syntax.ts";
import { toJson } from "./value.ts";

/** Where an annotation stands, and the classes being read around it (a class may refer to itself). */
export interface AnnotationContext {
  readonly repository: PythonRepository;
  readonly module: PythonModule;
  readonly reading?: readonly Node[];
  /** Types around this one. */
  readonly depth?: number;
}

/** Reads an annotation, following names through the repo. Never throws for what it cannot read: that is kind `unknown`. */
export function readAnnotation(node: Node, context: AnnotationContext): PythonType {
  const expression = context.repository.expression(node.text);
  if (expression === undefined) return unknown(`cannot read the type \`${excerptOf(node)}\``);
  return readType(expression, context);
}

/** Types inside one another, aliases on the way included; far below the stack's end. */
const typeDepthMax = 100;

function readType(node: Node, around: AnnotationContext): PythonType {
  const depth = (around.depth ?? 0) + 1;
  if (depth > typeDepthMax) return unknown("a type is nested too deeply");
  const context = { ...around, depth };
  switch (node.type) {
    case "parenthesized_expression":
      return readType(childrenOf(node)[0] ?? node, context);
    case "none":
      return { kind: "none" };
    case "string":
    case "concatenated_string":
      return readQuoted(node, context);
    case "binary_operator":
      return readPipe(node, context);
    case "subscript":
      return readGeneric(node, context);
    case "identifier":
    case "attribute":
      return readNamed(node, context);
    default:
      return unknown(`unsupported type: \`${excerptOf(node)}\``);
  }
}

function readQuoted(node: Node, context: AnnotationContext): PythonType {
  const pieces = node.type === "string" ? readString(node) : undefined;
  const text = pieces?.map((piece) => ("text" in piece ? piece.text : "")).join("");
  const expression = text === undefined ? undefined : context.repository.expression(text);
  if (expression === undefined)
    return unknown(`unsupported type: string annotation ${excerptOf(node)}`);
  return readType(expression, context);
}

function readPipe(node: Node, context: AnnotationContext): PythonType {
  const left = fieldOf(node, "left");
  const right = fieldOf(node, "right");
  if (fieldOf(node, "operator")?.type !== "|" || left === undefined || right === undefined) {
    return unknown(`unsupported type: \`${excerptOf(node)}\``);
  }
  return unionOf([readType(left, context), readType(right, context)]);
}

function readNamed(node: Node, context: AnnotationContext): PythonType {
  const { repository, module } = context;
  const symbol = resolveExpression({ repository, module, node });
  if (symbol === undefined) {
    return unknown(
      `cannot resolve type '${node.text}' - nothing in ${module.path} defines it`,
      `import or define ${node.text}, or use str, int, float, bool, Path, Secret, list, dict or a BaseModel`,
    );
  }
  return readSymbol(symbol, node, context);
}

function readSymbol(symbol: PythonSymbol, node: Node, context: AnnotationContext): PythonType {
  if (symbol.kind === "class") return readClass(symbol, context);
  if (symbol.kind === "assignment") return readAlias(symbol, node, context);
  if (symbol.kind === "installed") return readInstalled(symbol.path, node);
  return unknown(`unsupported type: \`${excerptOf(node)}\` is a ${symbol.kind}`);
}

/** `Image = np.ndarray`, `type Names = list[str]`, `UserId = NewType("UserId", str)`. */
function readAlias(
  symbol: Extract<PythonSymbol, { kind: "assignment" }>,
  node: Node,
  context: AnnotationContext,
): PythonType {
  const right = fieldOf(symbol.statements[0]!, "right");
  const reading = context.reading ?? [];
  const isCircular = right !== undefined && reading.some((known) => known.id === right.id);
  if (right === undefined || isCircular) return unknown(`unsupported type: \`${excerptOf(node)}\``);
  const inner = { ...context, module: symbol.module, reading: [...reading, right] };
  if (right.type !== "call") return readAnnotation(right, inner);
  const list = fieldOf(right, "arguments");
  const second = list === undefined ? undefined : childrenOf(list)[1];
  const isNewType = /(^|\.)NewType$/.test(fieldOf(right, "function")?.text ?? "");
  return isNewType && second !== undefined
    ? readAnnotation(second, inner)
    : unknown(`unsupported type: \`${excerptOf(node)}\``);
}

function readClass(symbol: ClassSymbol, context: AnnotationContext): PythonType {
  const { repository } = context;
  const name = fieldOf(symbol.node, "name")?.text ?? "";
  const reading = context.reading ?? [];
  if (reading.some((node) => node.id === symbol.node.id)) return { kind: "any" };
  if (isEnum(repository, symbol)) {
    const members = enumMembersOf(symbol, createScope({ repository, module: symbol.module }));
    const values = [...members.values()].flatMap((member) => toJson(member.value) ?? []);
    return { kind: "choice", values, isEnum: true };
  }
  const form = isObjectClass(repository, symbol);
  if (form !== undefined) {
    const read = (annotation: Node, module: PythonModule): PythonType =>
      readAnnotation(annotation, { ...context, module, reading: [...reading, symbol.node] });
    const fields = objectFieldsOf({ repository, symbol, form, read });
    return { kind: "object", name, fields, isTypedDict: form === "typed-dict" };
  }
  return unknown(
    `cannot resolve type '${name}' - it is a plain class`,
    `derive ${name} from cog.BaseModel, or annotate with Annotated[${name}, cog.Opaque]`,
  );
}

function readGeneric(node: Node, context: AnnotationContext): PythonType {
  const { repository, module } = context;
  const outer = fieldOf(node, "value");
  const inner = childrenOf(node).filter((child) => child.id !== outer?.id);
  const symbol =
    outer === undefined ? undefined : resolveExpression({ repository, module, node: outer });
  if (symbol?.kind !== "installed") {
    return symbol === undefined || outer === undefined
      ? unknown(`cannot resolve type '${excerptOf(node)}'`)
      : readSymbol(symbol, outer, context);
  }
  const name = simpleNameOf(symbol.path) ?? symbol.path;
  if (name === "Literal") return readLiteral(node, context);
  const first = inner[0];
  if (first === undefined) return readInstalled(symbol.path, node);
  const read = (child: Node): PythonType => readType(child, context);
  switch (name) {
    case "Optional":
      return unionOf([read(first), { kind: "none" }]);
    case "Union":
      return unionOf(inner.map(read));
    case "Annotated":
      return readAnnotated(inner, context);
    case "dict":
      return inner[1] === undefined ? { kind: "dict" } : { kind: "dict", value: read(inner[1]) };
    case "list":
    case "tuple":
      return { kind: "list", item: readItem(inner, context) };
    case "iterator":
      return { kind: "iterator", item: read(first), isConcatenated: false };
    case "concatenate":
      return { kind: "iterator", item: read(first), isConcatenated: true };
    case "transparent":
      return read(first);
    default:
      return unknown(
        `unsupported type: ${excerptOf(node)} is not a supported type`,
        "use list[…], dict[…], Optional[…], Literal[…] or an Iterator",
      );
  }
}

/** `tuple[int, int]` lists two types: equal ones are one item type, others anything. */
function readItem(nodes: readonly Node[], context: AnnotationContext): PythonType {
  const types = nodes
    .filter((node) => node.type !== "ellipsis")
    .map((node) => readType(node, context));
  const [first] = types;
  const isUniform = types.every((type) => JSON.stringify(type) === JSON.stringify(first));
  return first !== undefined && isUniform ? first : { kind: "any" };
}

function readLiteral(node: Node, context: AnnotationContext): PythonType {
  try {
    const values = literalValuesOf(node, createScope(context)) ?? [];
    const json = values.filter((value) => value !== null).flatMap((value) => toJson(value) ?? []);
    const choice: PythonType = { kind: "choice", values: json, isEnum: false };
    return json.length < values.length ? unionOf([choice, { kind: "none" }]) : choice;
  } catch (error) {
    if (!(error instanceof Unresolved)) throw error;
    return unknown(`cannot read the values of \`${excerptOf(node)}\`: ${error.message}`);
  }
}

/** `Annotated[T, cog.Opaque]` is any JSON (a list of it when T is a list); other metadata means nothing to Cog. */
function readAnnotated(nodes: readonly Node[], context: AnnotationContext): PythonType {
  const [first, ...metadata] = nodes as [Node, ...Node[]];
  const isOpaque = metadata.some((node) => {
    const target = node.type === "call" ? fieldOf(node, "function") : node;
    const symbol =
      target === undefined ? undefined : resolveExpression({ ...context, node: target });
    return symbol?.kind === "installed" && symbol.path === "cog.Opaque";
  });
  const type = readType(first, context);
  return isOpaque ? opaque(type) : type;
}

function opaque(type: PythonType): PythonType {
  if (type.kind === "list") return { kind: "list", item: { kind: "any" } };
  if (type.kind === "union" && type.variants.some((variant) => variant.kind === "none")) {
    const list = type.variants.some((variant) => variant.kind === "list");
    const item: PythonType = { kind: "any" };
    return unionOf([list ? { kind: "list", item } : item, { kind: "none" }]);
  }
  return { kind: "any" };
}

function readInstalled(path: string, node: Node): PythonType {
  const name = simpleNameOf(path);
  switch (name) {
    case "bool":
    case "float":
    case "int":
    case "str":
    case "file":
    case "secret":
    case "any":
    case "none":
    case "dict":
      return { kind: name };
    case "path":
      return path.startsWith("cog.") ? { kind: "path" } : { kind: "path", isPlain: true };
    case "list":
    case "tuple":
      return { kind: "list", item: { kind: "any" } };
    case "iterator":
      return { kind: "iterator", item: { kind: "any" }, isConcatenated: false };
    case "concatenate":
      // Many public models write ConcatenateIterator bare; it only ever joins text.
      return { kind: "iterator", item: { kind: "str" }, isConcatenated: true };
    default: {
      const type = path.split(".").at(-1) ?? path;
      const module = path.slice(0, -type.length - 1);
      return {
        kind: "unknown",
        message: `cannot resolve type '${node.text}' (imported from '${module}') - types outside the repo cannot be read`,
        hint: `return a cog.BaseModel, or mark JSON-shaped values with Annotated[${type}, cog.Opaque]`,
        isAskable: isRecordPackage(module),
      };
    }
  }
}

/** Whether a package may well hold classes of fields. Those of arrays, images and tables have none that Cog takes. */
function isRecordPackage(module: string): boolean {
  const [top = ""] = module.split(".");
  return top !== "" && !dataPackages.has(top);
}

const dataPackages: ReadonlySet<string> = new Set(
  (
    "builtins typing typing_extensions collections pathlib os io cog numpy torch PIL pandas tensorflow jax scipy cv2 " +
    "datetime decimal uuid"
  ).split(" "),
);

/** Names of the standard library and of cog that mean one of our kinds. */
function simpleNameOf(path: string): string | undefined {
  const member =
    /^(?:builtins|typing|typing_extensions|collections|collections\.abc|cog|cog\.types|pathlib|os)\.(\w+)$/.exec(
      path,
    )?.[1];
  return member === undefined ? undefined : simpleNames.get(member);
}

const simpleNames: ReadonlyMap<string, string> = new Map(
  Object.entries({
    bool: "bool float int str",
    path: "Path PurePath PosixPath PathLike URLPath",
    file: "File URLFile",
    secret: "Secret",
    any: "Any object",
    none: "NoneType",
    dict: "dict Dict Mapping MutableMapping OrderedDict defaultdict",
    list: "list List Sequence MutableSequence Iterable Collection",
    tuple: "tuple Tuple set Set frozenset FrozenSet",
    iterator: "Iterator AsyncIterator Generator AsyncGenerator AsyncIterable",
    concatenate: "ConcatenateIterator AsyncConcatenateIterator",
    transparent: "Final ClassVar Required NotRequired ReadOnly Coroutine Awaitable",
    Optional: "Optional",
    Union: "Union",
    Annotated: "Annotated",
    Literal: "Literal",
  }).flatMap(([kind, names]) =>
    names.split(" ").map((name) => [name, kind === "bool" ? name : kind] as const),
  ),
);

function unknown(message: string, hint?: string): PythonType {
  return {
    kind: "unknown",
    message,
    hint: hint ?? "use str, int, float, bool, Path, Secret, list, dict or a cog.BaseModel",
  };
}
