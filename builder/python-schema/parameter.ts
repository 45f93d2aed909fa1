import type { Node } from "web-tree-sitter";
import { readAnnotation } from "./annotation.ts";
import { createScope } from "./evaluate.ts";
import { type InputOptions, noOptions, readInputOptions } from "./input-options.ts";
import type { ProblemList } from "./problems.ts";
import type { PythonType } from "./python-type.ts";
import type { PythonRepository } from "./repository.ts";
import { Unresolved } from "./scope.ts";
import { childrenOf, excerptOf, fieldOf } from "./syntax.ts";
import type { Target } from "./target.ts";
import { InputCall, toJson } from "./value.ts";

/** One input of the model. */
export interface InputDescription extends InputOptions {
  readonly name: string;
  readonly type: PythonType;
}

/** One input with the Python parameter that declares it. */
export interface InputField extends InputDescription {
  readonly node: Node;
}

/** Reads the parameters of the target. What cannot be known becomes a problem, and the input is described as far as it is known. */
export function readParameters({
  repository,
  target,
  problems,
}: {
  readonly repository: PythonRepository;
  readonly target: Target;
  readonly problems: ProblemList;
}): InputField[] {
  const list = fieldOf(target.node, "parameters");
  const nodes = (list === undefined ? [] : childrenOf(list)).filter(
    (node) => !node.type.endsWith("_separator"),
  );
  const own = target.isMethod ? nodes.slice(1) : nodes;
  return own.flatMap((node) => {
    const field = readParameter({ repository, target, problems, node });
    return field === undefined ? [] : [field];
  });
}

interface ParameterContext {
  readonly repository: PythonRepository;
  readonly target: Target;
  readonly problems: ProblemList;
  readonly node: Node;
}

function readParameter(context: ParameterContext): InputField | undefined {
  const { target, problems, node } = context;
  const [first] = childrenOf(node);
  if (/splat/.test(node.type) || (first !== undefined && /splat/.test(first.type))) {
    problems.add({
      severity: "warning",
      module: target.module,
      node,
      message: `${target.name}() takes \`${excerptOf(node)}\`, which no input can fill`,
      hint: "name each input as a parameter of its own",
    });
    return undefined;
  }
  const name = fieldOf(node, "name")?.text ?? first?.text ?? node.text;
  const options = readDefault(context, name);
  const annotation = fieldOf(node, "type");
  const type =
    annotation === undefined
      ? guessType({ context, name, options })
      : readAnnotation(annotation, { repository: context.repository, module: target.module });
  return { ...options, name, node, type };
}

function readDefault(context: ParameterContext, name: string): InputOptions {
  const { repository, target, problems, node } = context;
  const expression = fieldOf(node, "value");
  if (expression === undefined) return noOptions;
  try {
    const scope = createScope({ repository, module: target.module });
    const value = scope.evaluate(expression, scope);
    if (value instanceof InputCall) return readInputOptions({ call: value, name, problems });
    const json = toJson(value);
    if (json !== undefined) return { ...noOptions, default: { kind: "value", value: json } };
    throw new Unresolved(expression, "JSON has no word for it");
  } catch (error) {
    if (!(error instanceof Unresolved)) throw error;
    problems.ask({
      module: target.module,
      node: expression,
      what: `parameter '${name}'`,
      reason: `default \`${excerptOf(expression)}\` cannot be statically resolved: ${error.message}`,
      hint: "write a literal",
    });
    return { ...noOptions, default: { kind: "computed" } };
  }
}

/** The type of a parameter without annotation, from its default; cog refuses these, its server does not need the annotation. */
function guessType({
  context,
  name,
  options,
}: {
  readonly context: ParameterContext;
  readonly name: string;
  readonly options: InputOptions;
}): PythonType {
  const { target, problems, node } = context;
  const value = options.default.kind === "value" ? options.default.value : options.choices?.[0];
  const type = value === undefined ? undefined : guessFromValue(value);
  problems.add({
    severity: type === undefined ? "error" : "warning",
    module: target.module,
    node,
    message: `parameter '${name}' on ${target.name} has no type annotation`,
    hint:
      type === undefined
        ? `write ${name}: str`
        : `write ${name}: ${type.kind}; it is taken for that`,
  });
  return type ?? { kind: "any" };
}

function guessFromValue(value: unknown): PythonType | undefined {
  if (typeof value === "boolean") return { kind: "bool" };
  if (typeof value === "string") return { kind: "str" };
  if (typeof value === "number") return { kind: Number.isInteger(value) ? "int" : "float" };
  return undefined;
}
