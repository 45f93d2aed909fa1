import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Document, Node, YAMLMap } from "yaml";
import type { Problem } from "../problem.ts";
import { describeForeignText, describeRepeatedText } from "./foreign-text.ts";
import { ownValue } from "../own-value.ts";

/** Nodes in one file, aliases expanded: far above any real file, far below what would fill the memory. */
const nodeCountMax = 100_000;

/** A scalar that YAML reads as a number or a boolean, with its text: `3.10` is 3.1 and "3.10". */
export class PlainScalar {
  readonly value: number | bigint | boolean;
  readonly text: string;

  constructor(value: number | bigint | boolean, text: string) {
    this.value = value;
    this.text = text;
  }
}

export type SourceValue = string | null | PlainScalar | SourceValue[] | SourceMapping;
export interface SourceMapping {
  [key: string]: SourceValue;
}
export type SourcePath = readonly (string | number)[];

/** The values of a YAML file with the line of every key. */
export interface SourceDocument {
  readonly file: string;
  readonly value: SourceValue;
  /** 1-based lines by dotted key. */
  readonly lines: Readonly<Record<string, number>>;
}

/** Reads YAML text. Syntax errors, duplicate keys among them, become problems and leave no document. */
export function parseSource(
  file: string,
  text: string,
): { document?: SourceDocument; problems: Problem[] } {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, merge: true, prettyErrors: false });
  const foreign = document.errors.length === 0 ? undefined : describeForeignText(text);
  const lastLine = text.trimEnd().split("\n").length;
  const problems = document.errors.map((error): Problem => {
    // What is never closed is noticed behind the last line.
    const line = Math.min(lineCounter.linePos(error.pos[0]).line, lastLine);
    const isRepeated = error.code === "DUPLICATE_KEY";
    return {
      severity: "error",
      file,
      line,
      message: `not valid YAML: ${firstLine(error.message)}`,
      hint: syntaxHints[error.code] ?? "check the indentation, the dashes and the quotes around it",
      ...foreign,
      ...(isRepeated ? describeRepeatedText(text, line) : undefined),
    };
  });
  if (problems.length > 0) return { problems: problems.slice(0, 1) };
  const page = isScalar(document.contents) ? describeForeignText(text) : undefined;
  if (page !== undefined) return { problems: [{ severity: "error", file, line: 1, ...page }] };
  const reader = new SourceReader(document, lineCounter);
  try {
    return {
      document: { file, value: reader.read(document.contents, []), lines: reader.lines },
      problems,
    };
  } catch (error) {
    if (!(error instanceof TooManyNodesError)) throw error;
    const message = "too many values (YAML aliases?)";
    return { problems: [{ severity: "error", file, line: 1, message }] };
  }
}

/** `["build", "run", 2]` is `build.run[2]`. */
export function dottedKey(path: SourcePath): string {
  return path.reduce<string>((key, part) => {
    if (typeof part === "number") return `${key}[${part}]`;
    return key === "" ? part : `${key}.${part}`;
  }, "");
}

/** Line of the key itself, or of the nearest key around it. */
export function lineOf(document: SourceDocument, path: SourcePath): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const line = ownValue(document.lines, dottedKey(path.slice(0, length)));
    if (line !== undefined) return line;
  }
  return undefined;
}

/** The value at a path, or undefined. */
export function valueAt(value: SourceValue, path: SourcePath): SourceValue | undefined {
  let current: SourceValue | undefined = value;
  for (const part of path) {
    if (Array.isArray(current)) current = current[part as number];
    else if (isSourceMapping(current)) {
      current = Object.hasOwn(current, part) ? current[part] : undefined;
    } else return undefined;
  }
  return current;
}

export function isSourceMapping(value: SourceValue | undefined): value is SourceMapping {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof PlainScalar)
  );
}

/** Ordinary JSON values: numbers and booleans in place of their scalars. */
export function toPlain(value: SourceValue): unknown {
  if (value instanceof PlainScalar) {
    return typeof value.value === "bigint" ? Number(value.value) : value.value;
  }
  if (Array.isArray(value)) return value.map(toPlain);
  if (!isSourceMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPlain(item)]));
}

class TooManyNodesError extends Error {}

class SourceReader {
  readonly lines: Record<string, number> = {};
  readonly #document: Document;
  readonly #lineCounter: LineCounter;
  #nodeCount = 0;

  constructor(document: Document, lineCounter: LineCounter) {
    this.#document = document;
    this.#lineCounter = lineCounter;
  }

  read(node: unknown, path: SourcePath): SourceValue {
    this.#nodeCount++;
    if (this.#nodeCount > nodeCountMax) throw new TooManyNodesError();
    if (isAlias(node)) return this.read(node.resolve(this.#document), path);
    if (isMap(node)) return this.#readMap(node, path);
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        this.#note(item, [...path, index]);
        return this.read(item, [...path, index]);
      });
    }
    return isScalar(node) ? scalarValue(node.value, node.source) : null;
  }

  #readMap(map: YAMLMap, path: SourcePath): SourceMapping {
    const result = Object.create(null) as SourceMapping;
    for (const { key, value } of map.items) {
      const name = isScalar(key) ? (key.source ?? String(key.value)) : String(key);
      if (name === "<<") {
        this.#merge(result, value, path);
        continue;
      }
      this.#note(key, [...path, name]);
      result[name] = this.read(value, [...path, name]);
    }
    return result;
  }

  /** YAML merge keys: what is already there wins. */
  #merge(result: SourceMapping, node: unknown, path: SourcePath): void {
    const merged = this.read(node, path);
    for (const part of Array.isArray(merged) ? merged : [merged]) {
      if (!isSourceMapping(part)) continue;
      for (const [key, value] of Object.entries(part)) {
        if (!Object.hasOwn(result, key)) result[key] = value;
      }
    }
  }

  #note(node: unknown, path: SourcePath): void {
    const start = (node as Node | null)?.range?.[0];
    if (start !== undefined) this.lines[dottedKey(path)] = this.#lineCounter.linePos(start).line;
  }
}

function scalarValue(value: unknown, source: string | undefined): SourceValue {
  if (typeof value === "string" || value === null) return value;
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") {
    return new PlainScalar(value, source ?? String(value));
  }
  return source ?? null;
}

const syntaxHints: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "keep one of them",
  TAB_AS_INDENT: "indent with spaces",
  MULTILINE_IMPLICIT_KEY: "put a space after each colon: `key: value`",
  MISSING_CHAR: "close the quote or bracket",
  BLOCK_AS_IMPLICIT_KEY: "indent it, or start each item of a list with `- `",
};

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}
