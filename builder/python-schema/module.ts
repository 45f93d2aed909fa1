import type { Node } from "web-tree-sitter";
import { childrenOf, definitionOf, fieldOf } from "./syntax.ts";

/** One Python file of the model repo, with the names that its top level defines. */
export interface PythonModule {
  /** Relative to the repo, `/`-separated: `models/types.py`. */
  readonly path: string;
  readonly root: Node;
  readonly names: Names;
  /** Modules of `from x import *`, in order. */
  readonly starImports: readonly ModuleReference[];
}

/** Names that a module or class body defines. */
export type Names = ReadonlyMap<string, Binding>;

export type Binding =
  | { readonly kind: "class"; readonly node: Node }
  | { readonly kind: "function"; readonly node: Node }
  /** `import a.b` binds `a`; `import a.b as c` binds the module a.b. */
  | { readonly kind: "module"; readonly reference: ModuleReference }
  /** `from a import b`. */
  | { readonly kind: "member"; readonly reference: ModuleReference; readonly name: string }
  /** `X = …` and the statements after it that change X. */
  | { readonly kind: "assignment"; readonly statements: readonly Node[] };

/** `..models.types` is level 2, name `models.types`. */
export interface ModuleReference {
  readonly level: number;
  readonly name: string;
}

/** Reads the names of a parsed file. Branches of `if` and `try` count too; the first definition in them wins. */
export function readModule({
  path,
  root,
}: {
  readonly path: string;
  readonly root: Node;
}): PythonModule {
  const collector = new NameCollector();
  collector.collect(root, true);
  return { path, root, names: collector.names, starImports: collector.starImports };
}

/** Names of a class body. */
export function readClassNames(classNode: Node): Names {
  const collector = new NameCollector();
  const body = fieldOf(classNode, "body");
  if (body !== undefined) collector.collect(body, true);
  return collector.names;
}

class NameCollector {
  readonly names = new Map<string, Binding>();
  readonly starImports: ModuleReference[] = [];

  /** `isCertain` is false in a branch that may not run: there a name is only taken when nothing else defines it. */
  collect(block: Node, isCertain: boolean): void {
    for (const statement of childrenOf(block)) {
      const definition = definitionOf(statement);
      if (definition !== undefined) this.#define(definition, isCertain);
      else if (statement.type === "expression_statement") this.#expression(statement, isCertain);
      else if (statement.type === "import_statement") this.#import(statement, isCertain);
      else if (statement.type === "import_from_statement") this.#importFrom(statement, isCertain);
      else if (statement.type === "type_alias_statement") this.#typeAlias(statement, isCertain);
      else if (branching.has(statement.type)) this.#branches(statement);
    }
  }

  #branches(statement: Node): void {
    for (const child of childrenOf(statement)) {
      if (child.type === "block") this.collect(child, false);
      else if (clauses.has(child.type)) this.#branches(child);
    }
  }

  #set(name: string, binding: Binding, isCertain: boolean): void {
    if (isCertain || !this.names.has(name)) this.names.set(name, binding);
  }

  #define(node: Node, isCertain: boolean): void {
    const name = fieldOf(node, "name")?.text;
    if (name === undefined) return;
    const kind = node.type === "class_definition" ? "class" : "function";
    this.#set(name, { kind, node }, isCertain);
  }

  #typeAlias(node: Node, isCertain: boolean): void {
    const name = fieldOf(node, "left")?.text;
    if (name !== undefined) this.#set(name, { kind: "assignment", statements: [node] }, isCertain);
  }

  #expression(statement: Node, isCertain: boolean): void {
    for (const node of childrenOf(statement)) {
      if (node.type === "assignment") this.#assignment(node, isCertain);
      else if (node.type === "augmented_assignment") this.#change(fieldOf(node, "left"), node);
      else if (node.type === "call") {
        const called = fieldOf(node, "function");
        if (called?.type === "attribute") this.#change(fieldOf(called, "object"), node);
      }
    }
  }

  #assignment(node: Node, isCertain: boolean): void {
    const left = fieldOf(node, "left");
    if (left?.type === "identifier") {
      this.#set(left.text, this.#assigned(left.text, node), isCertain);
    } else if (left?.type === "subscript") {
      this.#change(fieldOf(left, "value"), node);
    } else if (left?.type === "pattern_list" || left?.type === "tuple_pattern") {
      for (const target of childrenOf(left)) {
        if (target.type !== "identifier") continue;
        this.#set(target.text, { kind: "assignment", statements: [node] }, isCertain);
      }
    }
  }

  /** A value made from the one before, as in `X = sorted(X)`, needs the statements before. */
  #assigned(name: string, node: Node): Binding {
    const before = this.names.get(name);
    const isMadeFromItself = new RegExp(`\\b${name}\\b`).test(fieldOf(node, "right")?.text ?? "");
    const earlier = isMadeFromItself && before?.kind === "assignment" ? before.statements : [];
    return { kind: "assignment", statements: [...earlier, node] };
  }

  /** `X += …`, `X["k"] = …`, `X.append(…)`: a further statement of X's value. */
  #change(target: Node | undefined, statement: Node): void {
    if (target?.type !== "identifier") return;
    const binding = this.names.get(target.text);
    if (binding?.kind !== "assignment") return;
    const statements = [...binding.statements, statement];
    this.names.set(target.text, { kind: "assignment", statements });
  }

  #import(statement: Node, isCertain: boolean): void {
    for (const child of childrenOf(statement)) {
      if (child.type === "aliased_import") {
        const name = fieldOf(child, "name")?.text;
        const alias = fieldOf(child, "alias")?.text;
        if (name === undefined || alias === undefined) continue;
        this.#set(alias, { kind: "module", reference: { level: 0, name } }, isCertain);
      } else if (child.type === "dotted_name") {
        const name = child.text.split(".")[0]!;
        this.#set(name, { kind: "module", reference: { level: 0, name } }, isCertain);
      }
    }
  }

  #importFrom(statement: Node, isCertain: boolean): void {
    const moduleNode = fieldOf(statement, "module_name");
    if (moduleNode === undefined) return;
    const text = moduleNode.text.replaceAll(/\s/g, "");
    const name = text.replace(/^\.+/, "");
    const reference = { level: text.length - name.length, name };
    for (const child of childrenOf(statement)) {
      if (child.id === moduleNode.id) continue;
      if (child.type === "wildcard_import") this.starImports.push(reference);
      const original = child.type === "aliased_import" ? fieldOf(child, "name")?.text : child.text;
      const local = child.type === "aliased_import" ? fieldOf(child, "alias")?.text : child.text;
      if (original === undefined || local === undefined) continue;
      this.#set(local, { kind: "member", reference, name: original }, isCertain);
    }
  }
}

const branching: ReadonlySet<string> = new Set([
  "if_statement",
  "try_statement",
  "with_statement",
  "for_statement",
]);

const clauses: ReadonlySet<string> = new Set([
  "elif_clause",
  "else_clause",
  "except_clause",
  "finally_clause",
]);
