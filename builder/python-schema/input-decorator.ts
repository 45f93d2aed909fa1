import type { Node } from "web-tree-sitter";
import { readAnnotation } from "./annotation.ts";
import { createScope } from "./evaluate.ts";
import { type InputOptions, noOptions } from "./input-options.ts";
import type { InputField } from "./parameter.ts";
import type { ProblemList } from "./problems.ts";
import type { PythonType } from "./python-type.ts";
import type { PythonRepository } from "./repository.ts";
import { Unresolved } from "./scope.ts";
import { resolveExpression } from "./symbol.ts";
import { childrenOf, decoratorsOf, fieldOf, fieldTextOf } from "./syntax.ts";
import type { Target } from "./target.ts";
import { type JsonValue, toJson } from "./value.ts";

interface DecoratorContext {
  readonly repository: PythonRepository;
  readonly target: Target;
  readonly problems: ProblemList;
}

/**
 * Inputs in Cog's way of 2021: `@cog.input("image", type=Path, help="…")` above a method without annotations. They are
 * described, and an error says how they are written today: no cog that byom installs runs them. Undefined for a method
 * without such decorators.
 */
export function readInputDecorators(context: DecoratorContext): InputField[] | undefined {
  const { repository, target, problems } = context;
  const { module } = target;
  const calls = decoratorsOf(target.node).filter((node) => {
    const callee = node.type === "call" ? fieldOf(node, "function") : undefined;
    if (callee === undefined) return false;
    const symbol = resolveExpression({ repository, module, node: callee });
    return symbol?.kind === "installed" && symbol.path === "cog.input";
  });
  const [first] = calls;
  if (first === undefined) return undefined;
  const read = calls.flatMap((call) => readDecorator(call, context) ?? []);
  const signature = read.map(({ text }) => text).join(", ");
  problems.add({
    severity: "error",
    module,
    node: first,
    message: "`@cog.input` is Cog's way of 2021, which cog has not had since 0.1",
    hint: `write \`from cog import BaseRunner, Input, Path\` and def ${target.name}(self, ${signature}) -> Path: or what it returns`,
  });
  return read.map(({ field }) => field);
}

function readDecorator(
  call: Node,
  context: DecoratorContext,
): { readonly field: InputField; readonly text: string } | undefined {
  const list = fieldOf(call, "arguments");
  const children = list === undefined ? [] : childrenOf(list);
  const named = new Map(
    children
      .filter((child) => child.type === "keyword_argument")
      .map((child) => [fieldTextOf(child, "name"), fieldOf(child, "value")] as const),
  );
  const nameNode = children.find((child) => child.type !== "keyword_argument") ?? named.get("name");
  const name = nameNode === undefined ? undefined : valueOf(nameNode, context);
  if (typeof name !== "string") return undefined;
  const typeNode = named.get("type");
  const type: PythonType = typeNode === undefined ? { kind: "str" } : readType(typeNode, context);
  const value = (key: string): JsonValue | undefined => {
    const node = named.get(key);
    return node === undefined ? undefined : valueOf(node, context);
  };
  const options = readOptions(value, named.get("default"));
  return {
    field: { ...options, name, node: call, type },
    text: `${name}: ${typeNode?.text ?? "str"} = Input(${renderArguments(named)})`,
  };
}

/** In 2021 pathlib's Path was downloaded as cog's is today. */
function readType(node: Node, { repository, target }: DecoratorContext): PythonType {
  const type = readAnnotation(node, { repository, module: target.module });
  return type.kind === "path" ? { kind: "path" } : type;
}

function readOptions(
  value: (key: string) => JsonValue | undefined,
  defaultNode: Node | undefined,
): InputOptions {
  const [initial, help, minimum, maximum, options] = [
    value("default"),
    value("help"),
    value("min"),
    value("max"),
    value("options"),
  ];
  const known = initial === undefined ? undefined : ({ kind: "value", value: initial } as const);
  return {
    default: known ?? (defaultNode === undefined ? noOptions.default : { kind: "computed" }),
    ...(typeof help === "string" ? { description: help } : {}),
    ...(typeof minimum === "number" ? { minimum } : {}),
    ...(typeof maximum === "number" ? { maximum } : {}),
    ...(Array.isArray(options) ? { choices: options as readonly JsonValue[] } : {}),
  };
}

/** What the arguments of 2021 are called today. */
const argumentNames: ReadonlyMap<string, string> = new Map([
  ["default", "default"],
  ["help", "description"],
  ["min", "ge"],
  ["max", "le"],
  ["options", "choices"],
]);

function renderArguments(named: ReadonlyMap<string | undefined, Node | undefined>): string {
  return [...argumentNames]
    .flatMap(([old, today]) => {
      const node = named.get(old);
      return node === undefined ? [] : [`${today}=${node.text.replaceAll(/\s+/g, " ")}`];
    })
    .join(", ");
}

function valueOf(node: Node, { repository, target }: DecoratorContext): JsonValue | undefined {
  try {
    const scope = createScope({ repository, module: target.module });
    return toJson(scope.evaluate(node, scope));
  } catch (error) {
    if (error instanceof Unresolved) return undefined;
    throw error;
  }
}
