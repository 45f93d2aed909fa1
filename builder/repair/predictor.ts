import type { Node } from "web-tree-sitter";
import { childrenOf, fieldOf, fieldTextOf, lineOf } from "../python-schema/syntax.ts";
import type { Edit, Repair } from "./repair.ts";
import { ownValue } from "../own-value.ts";

/** Names that cog no longer exports, with what became of them. Source: cog's changelog, 0.17. */
const removedNames: Readonly<Record<string, string>> = {
  ExperimentalFeatureWarning: "removed in cog 0.17: record_metric() is no longer experimental",
};

/** Repairs of the predictor's file: names of older Cog versions. */
export function findPredictorRepairs(options: {
  readonly file: string;
  /** The class that cog.yaml names. */
  readonly name: string;
  readonly root: Node;
}): Repair[] {
  const { file, name, root } = options;
  return [...removedImports(file, root), ...oldBase(file, name, root)];
}

/** `class P(BasePredictor)` with `predict` becomes `class P(BaseRunner)` with `run`. */
function oldBase(file: string, name: string, root: Node): Repair[] {
  const imports = importsFromCog(root);
  const imported = imports
    .flatMap(({ names }) => names)
    .find(({ text }) => text === "BasePredictor");
  const words = identifiersOf(root);
  const isTaken = words.some(({ text }) => text === "BaseRunner");
  const target = childrenOf(root)
    .map((node) => (node.type === "decorated_definition" ? fieldOf(node, "definition") : node))
    .find((node) => node?.type === "class_definition" && fieldTextOf(node, "name") === name);
  const body = target === undefined ? undefined : fieldOf(target, "body");
  const bases = target === undefined ? undefined : fieldOf(target, "superclasses");
  if (imported === undefined || isTaken || body === undefined || bases === undefined) return [];
  if (!childrenOf(bases).some((base) => base.text === "BasePredictor")) return [];
  const methods = childrenOf(body).flatMap((node) => {
    const method = node.type === "decorated_definition" ? fieldOf(node, "definition") : node;
    return method?.type === "function_definition" ? [method] : [];
  });
  const names = methods.map((method) => fieldTextOf(method, "name"));
  const predict = methods.find((method) => fieldTextOf(method, "name") === "predict");
  const predictName = predict === undefined ? undefined : fieldOf(predict, "name");
  if (predictName === undefined || names.includes("run")) return [];
  // Anything else called predict, run or BasePredictor in other words may mean something else: hands off.
  const calls = words.filter(
    ({ text, parent }) => text === "predict" && isAttributeOf(parent, "self"),
  );
  const others = words.filter(
    (word) =>
      (word.text === "run" && isAttributeOf(word.parent, "self")) ||
      (word.text === "predict" &&
        word.parent?.type === "attribute" &&
        fieldTextOf(word.parent, "object") === name),
  );
  if (others.length > 0) return [];
  const edits = [
    ...words
      .filter(({ text }) => text === "BasePredictor")
      .map((word) => replace(word, "BaseRunner")),
    ...[predictName, ...calls].map((word) => replace(word, "run")),
  ];
  return [
    {
      severity: "warning",
      file,
      line: lineOf(target as Node),
      message: "BasePredictor and predict() are deprecated",
      action: "write BaseRunner and run()",
      edits: new Map([[file, edits]]),
    },
  ];
}

/** The import and the statements that silence the warning; nothing where the name is used for more. */
function removedImports(file: string, root: Node): Repair[] {
  return importsFromCog(root).flatMap(({ statement, names }) => {
    const gone = names.find(({ text }) => ownValue(removedNames, text) !== undefined);
    if (gone === undefined) return [];
    const uses = identifiersOf(root).filter(
      (word) => word.text === gone.text && !isInside(word, statement),
    );
    const statements = uses.map((word) => enclosingFilter(word));
    if (statements.includes(undefined)) return [];
    const whole = names.length === 1 ? [statement] : [];
    const edits = [
      ...[...new Set([...statements, ...whole])].map((node) =>
        removeLines(root.text, node as Node),
      ),
      ...(names.length === 1 ? [] : [removeName(statement, gone)]),
    ];
    return [
      {
        severity: "error",
        file,
        line: lineOf(statement),
        message: `${gone.text} was ${removedNames[gone.text]}`,
        action: `remove it${uses.length > 0 ? " and what it filters" : ""}`,
        edits: new Map([[file, edits]]),
      },
    ];
  });
}

function importsFromCog(
  root: Node,
): { readonly statement: Node; readonly names: readonly Node[] }[] {
  return childrenOf(root).flatMap((statement) => {
    if (statement.type !== "import_from_statement") return [];
    const module = fieldTextOf(statement, "module_name") ?? "";
    if (!/^cog(\.\w+)*$/.test(module)) return [];
    const names = statement.childrenForFieldName("name").filter((node) => node !== null);
    return names.some((node) => node.type === "aliased_import") ? [] : [{ statement, names }];
  });
}

function identifiersOf(root: Node): Node[] {
  return root.descendantsOfType("identifier").filter((node) => node !== null);
}

function isAttributeOf(node: Node | null, object: string): boolean {
  return node?.type === "attribute" && fieldTextOf(node, "object") === object;
}

/** `warnings.filterwarnings("ignore", category=NAME)` as a statement of its own. */
function enclosingFilter(word: Node): Node | undefined {
  for (let node: Node | null = word; node !== null; node = node.parent) {
    if (node.type !== "expression_statement") continue;
    const isAlone = node.parent?.type === "module";
    return isAlone && /^warnings\.(filterwarnings|simplefilter)\(/.test(node.text)
      ? node
      : undefined;
  }
  return undefined;
}

function isInside(word: Node, outer: Node): boolean {
  return word.startIndex >= outer.startIndex && word.endIndex <= outer.endIndex;
}

function replace(node: Node, text: string): Edit {
  return { start: node.startIndex, end: node.endIndex, text };
}

function removeLines(text: string, node: Node): Edit {
  const start = text.lastIndexOf("\n", node.startIndex - 1) + 1;
  const next = text.indexOf("\n", node.endIndex);
  return { start, end: next === -1 ? text.length : next + 1, text: "" };
}

/** A name and the comma on one side of it. */
function removeName(statement: Node, name: Node): Edit {
  const text = statement.text;
  const [start, end] = [
    name.startIndex - statement.startIndex,
    name.endIndex - statement.startIndex,
  ];
  const behind = /^\s*,\s*/.exec(text.slice(end))?.[0].length ?? 0;
  const before = behind > 0 ? 0 : (/,\s*$/.exec(text.slice(0, start))?.[0].length ?? 0);
  return { start: name.startIndex - before, end: name.endIndex + behind, text: "" };
}
