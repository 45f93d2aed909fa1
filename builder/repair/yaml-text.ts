import { isMap, isScalar, isSeq, LineCounter, parseDocument, Parser } from "yaml";
import type { Document, Node, Pair, Scalar, YAMLMap, YAMLSeq } from "yaml";
import type { Edit, Repair } from "./repair.ts";

/** A YAML file as text with the places of its values: what the repairs of cog.yaml edit. */
export class YamlText {
  readonly file: string;
  readonly text: string;
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
  }

  get isValid(): boolean {
    return this.#document.errors.length === 0;
  }

  /** The top level; undefined when it is no block mapping. */
  get root(): YAMLMap | undefined {
    const { contents } = this.#document;
    return isMap(contents) && contents.flow !== true ? contents : undefined;
  }

  /** The key and value at a path of keys, where every mapping on the way is in block style. */
  pair(...path: readonly string[]): KeyedPair | undefined {
    let map = this.root;
    let found: KeyedPair | undefined;
    for (const name of path) {
      if (map === undefined) return undefined;
      found = pairsOf(map).find(({ name: other }) => other === name);
      if (found === undefined) return undefined;
      map = isMap(found.value) && found.value.flow !== true ? found.value : undefined;
    }
    return found;
  }

  lineOf(offset: number): number {
    return this.#lines.linePos(offset).line;
  }

  /** From the start of an offset's line to the end of another's, without the line break. */
  lines(start: number, end: number): { readonly start: number; readonly end: number } {
    const from = this.text.lastIndexOf("\n", start - 1) + 1;
    const next = this.text.indexOf("\n", Math.max(from, end - 1));
    const to = next === -1 ? this.text.length : next;
    return { start: from, end: this.text[to - 1] === "\r" ? to - 1 : to };
  }

  get lineBreak(): string {
    return this.text.includes("\r\n") ? "\r\n" : "\n";
  }

  /** A repair of this file. */
  repair(options: {
    readonly at: number;
    readonly key: string;
    readonly message: string;
    readonly action: string;
    readonly edits: readonly Edit[];
    readonly created?: ReadonlyMap<string, string>;
  }): Repair {
    const { at, edits, ...rest } = options;
    return {
      severity: "warning",
      file: this.file,
      line: this.lineOf(at),
      ...rest,
      edits: new Map([[this.file, edits]]),
    };
  }
}

export interface KeyedPair {
  readonly name: string;
  readonly key: Scalar & { readonly range: readonly [number, number, number] };
  readonly value: Node | null;
  /** Where the value's own characters begin and end; behind the key for an empty value. */
  readonly valueStart: number;
  readonly valueEnd: number;
}

export function pairsOf(map: YAMLMap): KeyedPair[] {
  return map.items.flatMap((pair: Pair) => {
    const { key } = pair;
    if (!isScalar(key) || key.range === null || key.range === undefined) return [];
    const value = (pair.value ?? null) as Node | null;
    const range = value?.range ?? [key.range[1], key.range[1], key.range[1]];
    const name = key.source ?? "";
    const [valueStart, valueEnd] = [range[0], lastCharacter(value) ?? range[1]];
    return [{ name, key: key as KeyedPair["key"], value, valueStart, valueEnd }];
  });
}

/** Block collections reach to the next key: their last value's end is what belongs to them. */
function lastCharacter(node: Node | null): number | undefined {
  if (isSeq(node) && node.flow !== true) {
    return lastCharacter((node.items.at(-1) ?? null) as Node | null) ?? node.range?.[1];
  }
  if (isMap(node) && node.flow !== true) {
    const last = node.items.at(-1);
    const value = lastCharacter((last?.value ?? null) as Node | null);
    return value ?? (last?.key as Node | undefined)?.range?.[1];
  }
  return node?.range?.[1];
}

/** The text and place of a plain or quoted value. */
export function scalarOf(
  node: unknown,
): { readonly text: string; readonly start: number; readonly end: number } | undefined {
  if (!isScalar(node) || node.range === null || node.range === undefined) return undefined;
  const [start, end] = node.range;
  return { text: node.source ?? "", start, end };
}

export function blockSequence(node: unknown): YAMLSeq | undefined {
  return isSeq(node) && node.flow !== true ? node : undefined;
}

/** Every comment of a YAML text, in order: what no repair may lose. */
export function commentsOf(text: string): string[] {
  const comments: string[] = [];
  const visit = (token: unknown): void => {
    if (typeof token !== "object" || token === null) return;
    if (Array.isArray(token)) return token.forEach(visit);
    const { type, source } = token as { readonly type?: unknown; readonly source?: unknown };
    if (type === "comment" && typeof source === "string") comments.push(source.trim());
    for (const value of Object.values(token)) visit(value);
  };
  for (const token of new Parser().parse(text)) visit(token);
  return comments;
}

/** A string as YAML, quoted where a plain one would mean something else. */
export function quote(text: string): string {
  return text.includes("'") ? JSON.stringify(text) : `'${text}'`;
}
