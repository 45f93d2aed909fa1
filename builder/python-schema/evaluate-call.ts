import type { Node } from "web-tree-sitter";
import { type CallArguments, callBuiltin, callMethod } from "./builtins.ts";
import { type Scope, Unresolved, evaluateItems } from "./scope.ts";
import { callFunction } from "./function-call.ts";
import { enumMembersOf, isEnum } from "./enum.ts";
import { literalValuesOf } from "./literal-type.ts";
import { resolveExpression, resolveMember } from "./symbol.ts";
import { childrenOf, excerptOf, fieldOf } from "./syntax.ts";
import { InputCall, type InputArgument, type PythonValue, isEqual } from "./value.ts";

/** A call: `Input(…)`, one of Python's pure builtins, a method of a plain value, or a small function of the repo. */
export function evaluateCall(node: Node, scope: Scope): PythonValue {
  const callee = fieldOf(node, "function");
  if (callee === undefined) throw new Unresolved(node, "it is incomplete");
  const { repository, module } = scope;
  const symbol = resolveExpression({ repository, module, node: callee });
  if (symbol?.kind === "installed" && inputNames.has(symbol.path))
    return readInputCall(node, scope);
  if (symbol?.kind === "installed" && symbol.path === "typing.get_args") {
    const values = literalValuesOf(argumentNodes(node)[0], scope);
    if (values !== undefined) return values;
  }
  if (symbol?.kind === "installed" && symbol.path === "builtins.getattr") {
    return readAttribute(node, scope);
  }
  if (symbol?.kind === "function") {
    return callFunction({ call: node, symbol, arguments: evaluateArguments(node, scope), scope });
  }
  if (symbol?.kind === "class" && isEnum(repository, symbol)) {
    const [value] = evaluateArguments(node, scope).positional;
    const members = [...enumMembersOf(symbol, scope).values()];
    const found = members.find((member) => value !== undefined && isEqual(member, value));
    if (found !== undefined) return found;
  }
  if (symbol?.kind === "installed") {
    const result = callBuiltin(symbol.path, evaluateArguments(node, scope));
    if (result !== undefined) return result;
  }
  if (callee.type === "attribute" && symbol?.kind !== "installed") {
    const result = callMethod({
      value: scope.evaluate(fieldOf(callee, "object")!, scope),
      method: fieldOf(callee, "attribute")?.text ?? "",
      arguments: evaluateArguments(node, scope),
    });
    if (result !== undefined) return result;
  }
  throw new Unresolved(node, `\`${excerptOf(node)}\` is known only when the model runs`);
}

const inputNames: ReadonlySet<string> = new Set(["cog.Input", "cog.input.Input"]);

/** Names of Input's parameters that may be given by position. */
const inputPositional: readonly string[] = ["default"];

function readInputCall(node: Node, scope: Scope): InputCall {
  const found = new Map<string, InputArgument>();
  for (const [index, child] of argumentNodes(node).entries()) {
    if (child.type === "dictionary_splat") {
      throw new Unresolved(child, "`Input(**…)` hides its arguments");
    }
    const isNamed = child.type === "keyword_argument";
    const name = isNamed ? fieldOf(child, "name")?.text : inputPositional[index];
    const value = isNamed ? fieldOf(child, "value") : child;
    if (name === undefined || value === undefined) continue;
    found.set(name, readArgument(value, scope));
  }
  return new InputCall({ node, module: scope.module, arguments: found });
}

function readArgument(node: Node, scope: Scope): InputArgument {
  try {
    return { node, value: scope.evaluate(node, scope) };
  } catch (error) {
    if (!(error instanceof Unresolved)) throw error;
    return { node, value: undefined, reason: error.message };
  }
}

/** `getattr(settings, "NAME", fallback)` of a module or class of the repo. */
function readAttribute(node: Node, scope: Scope): PythonValue {
  const { repository, module } = scope;
  const [object, name, fallback] = argumentNodes(node);
  const target =
    object === undefined ? undefined : resolveExpression({ repository, module, node: object });
  const key = name === undefined ? undefined : scope.evaluate(name, scope);
  if ((target?.kind === "module" || target?.kind === "class") && typeof key === "string") {
    const member = resolveMember({ repository, symbol: target, name: key });
    if (member?.kind === "assignment") return scope.evaluateSymbol(member, node, scope);
    if (member === undefined && fallback !== undefined) return scope.evaluate(fallback, scope);
  }
  throw new Unresolved(node, `\`${excerptOf(node)}\` is known only when the model runs`);
}

function evaluateArguments(node: Node, scope: Scope): CallArguments {
  const positional: Node[] = [];
  const named = new Map<string, PythonValue>();
  for (const child of argumentNodes(node)) {
    if (child.type === "dictionary_splat") throw new Unresolved(child, "`**` hides the arguments");
    if (child.type !== "keyword_argument") {
      positional.push(child);
      continue;
    }
    const name = fieldOf(child, "name")?.text;
    const value = fieldOf(child, "value");
    if (name !== undefined && value !== undefined && value.type !== "lambda") {
      named.set(name, scope.evaluate(value, scope));
    } else {
      throw new Unresolved(child, `\`${excerptOf(child)}\` is known only when the model runs`);
    }
  }
  return { positional: evaluateItems(positional, scope), named };
}

function argumentNodes(call: Node): Node[] {
  const list = fieldOf(call, "arguments");
  if (list === undefined) return [];
  return list.type === "argument_list" ? childrenOf(list) : [list];
}
