import { createRequire } from "node:module";
import { Language, type Node, Parser, type Tree } from "web-tree-sitter";

/** Parses Python text into syntax trees and frees them together: trees live in WASM memory, outside the garbage collector. */
export interface PythonParser {
  parse(text: string): Node;
  [Symbol.dispose](): void;
}

let languageLoading: Promise<Language> | undefined;

/** Loads the grammar (WASM, once per process, about 30 ms) and returns a parser. Nothing native, nothing of Python's is run. */
export async function createPythonParser(): Promise<PythonParser> {
  languageLoading ??= loadLanguage();
  const language = await languageLoading;
  const parser = new Parser();
  parser.setLanguage(language);
  const trees: Tree[] = [];
  return {
    parse(text) {
      const tree = parser.parse(text);
      if (tree === null) throw new Error("the Python parser gave no tree");
      trees.push(tree);
      return tree.rootNode;
    },
    [Symbol.dispose]() {
      for (const tree of trees) tree.delete();
      parser.delete();
    },
  };
}

async function loadLanguage(): Promise<Language> {
  await Parser.init();
  const resolve = createRequire(import.meta.url).resolve;
  return Language.load(resolve("tree-sitter-python/tree-sitter-python.wasm"));
}

/** Children that mean something: no punctuation, no comments. */
export function childrenOf(node: Node): Node[] {
  const children: Node[] = [];
  for (const child of node.namedChildren) {
    if (child !== null && child.type !== "comment") children.push(child);
  }
  return children;
}

/** A child by its grammar field, or undefined. */
export function fieldOf(node: Node, name: string): Node | undefined {
  return node.childForFieldName(name) ?? undefined;
}

/** The text of a child field, or undefined. */
export function fieldTextOf(node: Node, name: string): string | undefined {
  return fieldOf(node, name)?.text;
}

/** 1-based line. */
export function lineOf(node: Node): number {
  return node.startPosition.row + 1;
}

/** A class or function without its decorators; undefined for anything else. */
export function definitionOf(node: Node): Node | undefined {
  if (node.type === "class_definition" || node.type === "function_definition") return node;
  if (node.type === "decorated_definition") return fieldOf(node, "definition");
  return undefined;
}

/** What stands behind each `@` of a class or function. */
export function decoratorsOf(definition: Node): Node[] {
  const parent = definition.parent;
  if (parent === null || parent.type !== "decorated_definition") return [];
  return childrenOf(parent)
    .filter((child) => child.type === "decorator")
    .flatMap((decorator) => childrenOf(decorator).slice(0, 1));
}

/** One line of source, shortened, for messages. */
export function excerptOf(node: Node): string {
  const text = node.text.replaceAll(/\s+/g, " ");
  return text.length <= excerptLengthMax ? text : `${text.slice(0, excerptLengthMax - 1)}…`;
}

/** Characters of source quoted in a message: enough to recognize it, short enough for one terminal line. */
const excerptLengthMax = 60;

/** Where a syntax error is, or undefined when the text is valid Python. */
export function syntaxErrorLineOf(root: Node): number | undefined {
  if (!root.hasError) return undefined;
  const pending: Node[] = [root];
  while (pending.length > 0) {
    const node = pending.shift()!;
    if (node.isError || node.isMissing) return lineOf(node);
    for (const child of node.children) {
      if (child !== null && (child.hasError || child.isMissing)) pending.push(child);
    }
  }
  return lineOf(root);
}
