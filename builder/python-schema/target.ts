import type { Node } from "web-tree-sitter";
import type { PythonModule } from "./module.ts";
import type { PythonRepository } from "./repository.ts";
import {
  type ClassSymbol,
  type PythonSymbol,
  basesOf,
  classChainOf,
  namesOfClass,
  resolveExpression,
  resolveMember,
  resolveName,
} from "./symbol.ts";
import { decoratorsOf, fieldOf } from "./syntax.ts";

/** Which half of the document is made. */
export type Mode = "predict" | "train";

/** The function whose parameters are the model's inputs. */
export interface Target {
  /** As it is called in messages: `predict`, `run`, `train`. */
  readonly name: string;
  readonly node: Node;
  readonly module: PythonModule;
  /** Its first parameter is the instance. */
  readonly isMethod: boolean;
}

/** Why there is no target. */
export interface TargetMissing {
  readonly message: string;
  readonly hint: string;
  readonly node?: Node;
  /** It comes from an installed package, which the built image has. */
  readonly isInstalled?: boolean;
}

/** Finds the method or function behind `file.py:name`. */
export function findTarget({
  repository,
  module,
  name,
  mode,
}: {
  readonly repository: PythonRepository;
  readonly module: PythonModule;
  readonly name: string;
  readonly mode: Mode;
}): Target | TargetMissing {
  const symbol =
    resolveName({ repository, module, name }) ??
    resolveName({ repository, module, name: mode === "train" ? "train" : "predict" });
  if (symbol?.kind === "class") return findMethod({ repository, symbol, mode });
  if (symbol?.kind === "function") {
    return { name, node: symbol.node, module: symbol.module, isMethod: false };
  }
  const fromInstance = instanceClassOf({ repository, symbol });
  if (fromInstance !== undefined) return findMethod({ repository, symbol: fromInstance, mode });
  return missing({ module, name, symbol });
}

function missing({
  module,
  name,
  symbol,
}: {
  readonly module: PythonModule;
  readonly name: string;
  readonly symbol: PythonSymbol | undefined;
}): TargetMissing {
  const candidates = [...module.names]
    .filter(([, binding]) => binding.kind === "class" || binding.kind === "function")
    .map(([candidate]) => candidate);
  const hint =
    candidates.length === 0
      ? `define a class ${name} with a run() method in ${module.path}`
      : `${module.path} defines ${candidates.slice(0, candidatesMax).join(", ")}; write ${module.path}:${candidates[0]!} or another of them`;
  if (symbol === undefined) return { message: `predictor not found: ${name}`, hint };
  if (symbol.kind === "installed") {
    const message = `${name} comes from \`${symbol.path}\`, outside the repo`;
    return { message, hint, isInstalled: true };
  }
  return { message: `predictor not found: ${name} is neither a class nor a function`, hint };
}

/** Names listed in a hint. */
const candidatesMax = 8;

function findMethod({
  repository,
  symbol,
  mode,
}: {
  readonly repository: PythonRepository;
  readonly symbol: ClassSymbol;
  readonly mode: Mode;
}): Target | TargetMissing {
  const className = fieldOf(symbol.node, "name")?.text ?? "";
  const names = mode === "train" ? ["train"] : ["run", "predict"];
  const found = names.flatMap((name) => {
    const member = resolveMember({ repository, symbol, name });
    return member?.kind === "function" ? [{ name, member }] : [];
  });
  const [first, second] = found;
  if (first === undefined) {
    const expected = names.map((name) => `${name}()`).join(" or ");
    const isOwn = namesOfClass(symbol.node).size > 0;
    return {
      message: `${className} must define ${expected}`,
      hint: isOwn ? `add the method to class ${className}` : `class ${className} is empty`,
      node: symbol.node,
      isInstalled: hasInstalledBase({ repository, symbol }),
    };
  }
  if (second !== undefined) {
    return {
      message: `${className} must define either run() or predict(), not both`,
      hint: "keep run()",
      node: second.member.node,
    };
  }
  const isStatic = decoratorsOf(first.member.node).some((node) => node.text === "staticmethod");
  return {
    name: first.name,
    node: first.member.node,
    module: first.member.module,
    isMethod: !isStatic,
  };
}

/** Whether a class inherits from a class outside the repo that may define its methods; cog's own define none. */
function hasInstalledBase({
  repository,
  symbol,
}: {
  readonly repository: PythonRepository;
  readonly symbol: ClassSymbol;
}): boolean {
  return classChainOf({ repository, symbol })
    .flatMap((owner) => basesOf({ repository, symbol: owner }))
    .some((base) => base.kind === "installed" && !/^(cog|builtins|abc|typing)\./.test(base.path));
}

/** `predictor = Predictor()` at the top level stands for its class. */
function instanceClassOf({
  repository,
  symbol,
}: {
  readonly repository: PythonRepository;
  readonly symbol: PythonSymbol | undefined;
}): ClassSymbol | undefined {
  if (symbol?.kind !== "assignment") return undefined;
  const right = fieldOf(symbol.statements[0]!, "right");
  const callee = right?.type === "call" ? fieldOf(right, "function") : right;
  if (callee === undefined) return undefined;
  const found = resolveExpression({ repository, module: symbol.module, node: callee });
  return found?.kind === "class" ? found : undefined;
}

/** Whether the function, or the class chain's method, carries `@cog.NAME` or `@cog.NAME(…)`; the decorator's node if so. */
export function cogDecoratorOf({
  repository,
  target,
  name,
}: {
  readonly repository: PythonRepository;
  readonly target: Target;
  readonly name: string;
}): Node | undefined {
  return decoratorsOf(target.node).find((decorator) => {
    const node = decorator.type === "call" ? fieldOf(decorator, "function") : decorator;
    const symbol =
      node === undefined
        ? undefined
        : resolveExpression({ repository, module: target.module, node });
    return symbol?.kind === "installed" && symbol.path === `cog.${name}`;
  });
}

/** `async def`. */
export function isAsync(target: Target): boolean {
  return target.node.children.some((child) => child?.type === "async");
}
