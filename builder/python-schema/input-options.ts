import type { ProblemList } from "./problems.ts";
import { excerptOf } from "./syntax.ts";
import {
  type InputArgument,
  type InputCall,
  type JsonValue,
  type PythonValue,
  toJson,
} from "./value.ts";

/** What `Input(…)`, or a plain default, says about an input. */
export interface InputOptions {
  readonly default:
    /** The caller must give it. */
    | { readonly kind: "none" }
    | { readonly kind: "value"; readonly value: JsonValue }
    /** There is one, but only a running Python knows it. */
    | { readonly kind: "computed" };
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly choices?: readonly JsonValue[];
  readonly isDeprecated?: boolean;
  /** MIME types or file extensions, as in HTML's `accept`. */
  readonly accept?: string;
}

/** A parameter without `Input(…)` and without default. */
export const noOptions: InputOptions = { default: { kind: "none" } };

/** Reads the arguments of an `Input(…)` call; each unreadable one is a problem and left out. */
export function readInputOptions({
  call,
  name,
  problems,
}: {
  readonly call: InputCall;
  readonly name: string;
  readonly problems: ProblemList;
}): InputOptions {
  const reader = new ArgumentReader({ call, name, problems });
  const description = reader.read("description", isString);
  const minimum = reader.read("ge", isNumber);
  const maximum = reader.read("le", isNumber);
  const minLength = reader.read("min_length", isNumber);
  const maxLength = reader.read("max_length", isNumber);
  const pattern = reader.read("regex", isString);
  const choices = reader.readChoices();
  const isDeprecated = reader.read("deprecated", isBoolean);
  const accept = reader.read("accept", isString);
  reader.refuseUnknown();
  return {
    default: reader.readDefault(),
    ...(description === undefined ? {} : { description }),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    ...(minLength === undefined ? {} : { minLength }),
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(pattern === undefined ? {} : { pattern }),
    ...(choices === undefined ? {} : { choices }),
    ...(isDeprecated === undefined ? {} : { isDeprecated }),
    ...(accept === undefined ? {} : { accept }),
  };
}

/** Parameters of cog.Input; any other keyword fails when Python imports the file. */
const knownArguments: ReadonlySet<string> = new Set([
  "default",
  "default_factory",
  "description",
  "ge",
  "le",
  "min_length",
  "max_length",
  "regex",
  "choices",
  "deprecated",
  "accept",
]);

class ArgumentReader {
  readonly #call: InputCall;
  readonly #name: string;
  readonly #problems: ProblemList;

  constructor(options: { call: InputCall; name: string; problems: ProblemList }) {
    this.#call = options.call;
    this.#name = options.name;
    this.#problems = options.problems;
  }

  read<T extends PythonValue>(
    key: string,
    isExpected: (value: PythonValue) => value is T,
  ): T | undefined {
    const argument = this.#call.arguments.get(key);
    if (argument === undefined || argument.value === null) return undefined;
    if (argument.value !== undefined && isExpected(argument.value)) return argument.value;
    this.#warn(argument, `${key} \`${excerptOf(argument.node)}\` cannot be statically resolved`);
    return undefined;
  }

  readChoices(): JsonValue[] | undefined {
    const argument = this.#call.arguments.get("choices");
    if (argument === undefined || argument.value === null) return undefined;
    const values = argument.value === undefined ? undefined : toJson(argument.value);
    if (Array.isArray(values) && values.length > 0) return [...(values as JsonValue[])];
    this.#warn(argument, "choices expression cannot be statically resolved");
    return undefined;
  }

  readDefault(): InputOptions["default"] {
    const argument = this.#call.arguments.get("default");
    if (argument === undefined || argument.node.type === "ellipsis") return { kind: "none" };
    const value = argument.value === undefined ? undefined : toJson(argument.value);
    if (value !== undefined) return { kind: "value", value };
    this.#warn(argument, `default \`${excerptOf(argument.node)}\` cannot be statically resolved`);
    return { kind: "computed" };
  }

  refuseUnknown(): void {
    for (const [key, argument] of this.#call.arguments) {
      const isRefused = key === "default_factory" && argument.value !== null;
      if (knownArguments.has(key) && !isRefused) continue;
      this.#problems.add({
        severity: "error",
        module: this.#call.module,
        node: argument.node,
        message: isRefused
          ? `parameter '${this.#name}': default_factory is not supported in Input()`
          : `parameter '${this.#name}': Input() has no argument \`${key}\``,
        hint: isRefused
          ? "write default=… with a literal, or make the value inside run()"
          : `Input() takes ${[...knownArguments].filter((known) => known !== "default_factory").join(", ")}`,
      });
    }
  }

  #warn(argument: InputArgument, message: string): void {
    const reason = argument.reason === undefined ? "" : `: ${argument.reason}`;
    this.#problems.ask({
      module: this.#call.module,
      node: argument.node,
      what: `parameter '${this.#name}'`,
      reason: `${message}${reason}`,
      hint: "write a literal, or a constant of the file",
    });
  }
}

function isString(value: PythonValue): value is string {
  return typeof value === "string";
}

function isNumber(value: PythonValue): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isBoolean(value: PythonValue): value is boolean {
  return typeof value === "boolean";
}
