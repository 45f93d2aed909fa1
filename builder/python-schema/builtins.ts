import { posix } from "node:path";
import {
  EnumMember,
  PythonDict,
  type PythonKey,
  type PythonValue,
  isTruthy,
  textOf,
} from "./value.ts";

/** Arguments of a call in the order written. */
export interface CallArguments {
  readonly positional: readonly PythonValue[];
  readonly named: ReadonlyMap<string, PythonValue>;
}

/** A pure builtin by its full name (`builtins.sorted`); undefined when it is not one, or the arguments do not fit. */
export function callBuiltin(path: string, given: CallArguments): PythonValue | undefined {
  const [first, second] = given.positional;
  switch (path) {
    case "builtins.list":
    case "builtins.tuple":
      return first === undefined ? [] : elementsOf(first);
    case "builtins.set":
    case "builtins.frozenset":
      return first === undefined ? [] : distinct(elementsOf(first));
    case "builtins.sorted":
      return sorted(elementsOf(first), given);
    case "builtins.reversed":
      return elementsOf(first)?.toReversed();
    case "builtins.dict":
    case "collections.OrderedDict":
      return makeDict(first, given.named);
    case "builtins.len":
      return elementsOf(first)?.length;
    case "builtins.range":
      return range(given.positional);
    case "builtins.enumerate":
      return elementsOf(first)?.map((item, index) => [index + (Number(second ?? 0) || 0), item]);
    case "builtins.zip":
      return zip(given.positional);
    case "os.getenv":
    case "os.environ.get":
      // What a container without that variable sees.
      return second;
    case "os.path.join":
      return joinPaths(given.positional);
    case "builtins.min":
    case "builtins.max":
    case "builtins.sum":
    case "builtins.abs":
    case "builtins.round":
      return aggregate(path, given);
    default:
      return convert(path, first);
  }
}

function convert(path: string, first: PythonValue | undefined): PythonValue | undefined {
  if (path === "builtins.str") return first === undefined ? "" : textOf(plain(first));
  if (path === "builtins.bool") return first === undefined ? false : isTruthy(first);
  if (path !== "builtins.int" && path !== "builtins.float") return undefined;
  if (typeof first !== "number" && typeof first !== "string") return undefined;
  const value = Number(first);
  if (!Number.isFinite(value)) return undefined;
  return path === "builtins.int" ? Math.trunc(value) : value;
}

function plain(value: PythonValue): PythonValue {
  return value instanceof EnumMember ? value.value : value;
}

/** A method of a plain value; undefined when it is not a pure one. */
export function callMethod({
  value,
  method,
  arguments: given,
}: {
  readonly value: PythonValue;
  readonly method: string;
  readonly arguments: CallArguments;
}): PythonValue | undefined {
  const receiver = plain(value);
  if (receiver instanceof PythonDict) return callDictMethod(receiver, method, given);
  if (typeof receiver === "string") return callStringMethod(receiver, method, given);
  if (Array.isArray(receiver)) {
    const items = receiver as readonly PythonValue[];
    if (method === "copy") return [...items];
    if (method === "index") {
      const index = items.indexOf(given.positional[0] ?? null);
      return index < 0 ? undefined : index;
    }
  }
  return undefined;
}

function callDictMethod(
  dict: PythonDict,
  method: string,
  given: CallArguments,
): PythonValue | undefined {
  if (method === "keys") return [...dict.entries.keys()];
  if (method === "values") return [...dict.entries.values()];
  if (method === "items") return [...dict.entries].map(([key, item]) => [key, item]);
  if (method === "copy") return new PythonDict(dict.entries);
  if (method === "get") {
    const [key, fallback = null] = given.positional;
    return dict.entries.get(key as PythonKey) ?? fallback;
  }
  return undefined;
}

function callStringMethod(
  text: string,
  method: string,
  given: CallArguments,
): PythonValue | undefined {
  const [first, second] = given.positional;
  switch (method) {
    case "lower":
      return text.toLowerCase();
    case "upper":
      return text.toUpperCase();
    case "strip":
      return first === undefined ? text.trim() : undefined;
    case "title":
      return text.toLowerCase().replaceAll(/(^|[^a-z])([a-z])/g, (match) => match.toUpperCase());
    case "capitalize":
      return text.charAt(0).toUpperCase() + text.slice(1).toLowerCase();
    case "split":
      if (first === undefined) return text.split(/\s+/).filter((part) => part !== "");
      return typeof first === "string" && second === undefined ? text.split(first) : undefined;
    case "splitlines":
      return text
        .split(/\r?\n/)
        .filter((line, index, lines) => line !== "" || index < lines.length - 1);
    case "replace":
      return typeof first === "string" && typeof second === "string"
        ? text.replaceAll(first, second)
        : undefined;
    case "startswith":
      return typeof first === "string" ? text.startsWith(first) : undefined;
    case "endswith":
      return typeof first === "string" ? text.endsWith(first) : undefined;
    case "join":
      return elementsOf(first)?.map(textOf).join(text);
    case "format":
      return format(text, given);
    default:
      return undefined;
  }
}

function format(text: string, given: CallArguments): string | undefined {
  let next = 0;
  let isKnown = true;
  const result = text.replaceAll(/\{(\w*)\}/g, (_whole, name: string) => {
    const index = name === "" ? next++ : Number(name);
    const value = Number.isNaN(index) ? given.named.get(name) : given.positional[index];
    if (value === undefined) isKnown = false;
    return textOf(value ?? null);
  });
  return isKnown ? result : undefined;
}

function elementsOf(value: PythonValue | undefined): PythonValue[] | undefined;
function elementsOf(value: PythonValue): PythonValue[] | undefined;
function elementsOf(value: PythonValue | undefined): PythonValue[] | undefined {
  if (typeof value === "string") return Array.from(value);
  if (value instanceof PythonDict) return [...value.entries.keys()];
  return Array.isArray(value) ? [...(value as readonly PythonValue[])] : undefined;
}

function distinct(items: PythonValue[] | undefined): PythonValue[] | undefined {
  return items === undefined ? undefined : [...new Set(items)];
}

function sorted(items: PythonValue[] | undefined, given: CallArguments): PythonValue[] | undefined {
  if (items === undefined || given.named.has("key")) return undefined;
  const isNumeric = items.every((item) => typeof item === "number");
  if (!isNumeric && !items.every((item) => typeof item === "string")) return undefined;
  const ordered = isNumeric
    ? (items as number[]).toSorted((a, b) => a - b)
    : (items as string[]).toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return given.named.get("reverse") === true ? ordered.toReversed() : ordered;
}

function makeDict(
  first: PythonValue | undefined,
  named: ReadonlyMap<string, PythonValue>,
): PythonDict | undefined {
  const dict = new PythonDict();
  if (first instanceof PythonDict) for (const entry of first.entries) dict.entries.set(...entry);
  else if (Array.isArray(first)) {
    for (const pair of first as readonly PythonValue[]) {
      if (!Array.isArray(pair) || pair.length !== 2) return undefined;
      dict.entries.set(pair[0] as PythonKey, pair[1] as PythonValue);
    }
  } else if (first !== undefined) return undefined;
  for (const [key, value] of named) dict.entries.set(key, value);
  return dict;
}

/** Longest range listed: choices like `range(64, 1025, 8)` are short. */
const rangeLengthMax = 10_000;

function range(values: readonly PythonValue[]): number[] | undefined {
  if (!values.every((value) => typeof value === "number")) return undefined;
  const numbers = values as readonly number[];
  const [start, end, step] =
    numbers.length === 1 ? [0, numbers[0]!, 1] : [numbers[0]!, numbers[1]!, numbers[2] ?? 1];
  const length = Math.max(0, Math.ceil((end - start) / step));
  if (!Number.isFinite(length) || length > rangeLengthMax) return undefined;
  return Array.from({ length }, (_, index) => start + index * step);
}

function zip(values: readonly PythonValue[]): PythonValue[] | undefined {
  const lists = values.map((value) => elementsOf(value));
  if (lists.length === 0 || lists.some((list) => list === undefined)) return undefined;
  const length = Math.min(...lists.map((list) => list!.length));
  return Array.from({ length }, (_, index) => lists.map((list) => list![index]!));
}

function joinPaths(values: readonly PythonValue[]): string | undefined {
  if (values.length === 0 || !values.every((value) => typeof value === "string")) return undefined;
  return posix.join(...(values as readonly string[]));
}

function aggregate(path: string, given: CallArguments): number | undefined {
  const [first] = given.positional;
  const items = given.positional.length === 1 ? (elementsOf(first) ?? [first]) : given.positional;
  if (items.length === 0 || !items.every((item) => typeof item === "number")) return undefined;
  const numbers = items as readonly number[];
  if (path === "builtins.min") return Math.min(...numbers);
  if (path === "builtins.max") return Math.max(...numbers);
  if (path === "builtins.sum") return numbers.reduce((sum, item) => sum + item, 0);
  if (path === "builtins.abs") return Math.abs(numbers[0]!);
  const digits = given.positional.length === 2 ? numbers[1]! : 0;
  return Math.round(numbers[0]! * 10 ** digits) / 10 ** digits;
}
