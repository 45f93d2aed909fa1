import type { Node } from "web-tree-sitter";
import type { PythonModule } from "./module.ts";
import type { ClassSymbol } from "./symbol.ts";

/** A Python value known without running Python. Tuples and sets are arrays. */
export type PythonValue =
  | null
  | boolean
  | number
  | string
  | readonly PythonValue[]
  | PythonDict
  | EnumMember
  | InputCall;

/** Insertion-ordered, as in Python. */
export class PythonDict {
  readonly entries: Map<PythonKey, PythonValue>;
  constructor(entries: Iterable<readonly [PythonKey, PythonValue]> = []) {
    this.entries = new Map(entries);
  }
}

export type PythonKey = null | boolean | number | string;

/** `Style.FAST` of an Enum class. */
export class EnumMember {
  readonly name: string;
  readonly value: PythonValue;
  readonly owner: ClassSymbol;
  constructor({ name, value, owner }: { name: string; value: PythonValue; owner: ClassSymbol }) {
    this.name = name;
    this.value = value;
    this.owner = owner;
  }
}

/** `cog.Input(…)`: its arguments, each evaluated on its own, so that one unreadable argument costs nothing else. */
export class InputCall {
  readonly node: Node;
  readonly module: PythonModule;
  readonly arguments: ReadonlyMap<string, InputArgument>;
  constructor(options: {
    node: Node;
    module: PythonModule;
    arguments: ReadonlyMap<string, InputArgument>;
  }) {
    this.node = options.node;
    this.module = options.module;
    this.arguments = options.arguments;
  }
}

export interface InputArgument {
  readonly node: Node;
  /** Undefined when it cannot be known without running Python. */
  readonly value: PythonValue | undefined;
  /** Why it cannot be known. */
  readonly reason?: string;
}

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** The value as JSON; undefined for what JSON has no word for (infinity, an Input call). */
export function toJson(value: PythonValue): JsonValue | undefined {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  // JSON has no negative zero.
  if (typeof value === "number") return Number.isFinite(value) ? value + 0 : undefined;
  if (value instanceof EnumMember) return toJson(value.value);
  if (value instanceof InputCall) return undefined;
  if (value instanceof PythonDict) {
    const pairs: [string, JsonValue][] = [];
    for (const [key, item] of value.entries) {
      const json = toJson(item);
      if (json === undefined) return undefined;
      pairs.push([textOf(key), json]);
    }
    return Object.fromEntries(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
  const items: JsonValue[] = [];
  for (const item of value as readonly PythonValue[]) {
    const json = toJson(item);
    if (json === undefined) return undefined;
    items.push(json);
  }
  return items;
}

/** Python's `str()` of a simple value. */
export function textOf(value: PythonValue): string {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (value instanceof EnumMember) return `${value.name}`;
  if (typeof value === "string" || typeof value === "number") return String(value);
  return JSON.stringify(toJson(value) ?? null);
}

/** Python's truth. */
export function isTruthy(value: PythonValue): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof PythonDict) return value.entries.size > 0;
  return value !== null && value !== false && value !== 0 && value !== "";
}

/** Python's `==` for plain values. */
export function isEqual(left: PythonValue, right: PythonValue): boolean {
  if (left instanceof EnumMember) return isEqual(left.value, right);
  if (right instanceof EnumMember) return isEqual(left, right.value);
  if (typeof left !== "object" || typeof right !== "object") return left === right;
  return JSON.stringify(toJson(left)) === JSON.stringify(toJson(right));
}
