import { posix } from "node:path";
import type { Node } from "web-tree-sitter";
import { type ModuleReference, type PythonModule, readModule } from "./module.ts";
import type { PythonParser } from "./syntax.ts";

/** Reads a text file of the model repo by its relative path; undefined when there is no such file. */
export type ReadFile = (
  path: string,
  options?: { readonly signal?: AbortSignal },
) => Promise<string | undefined>;

/**
 * The Python files of a model repo, read only when a name leads to them. Resolution itself is synchronous: it throws
 * ModuleNeeded for a file that was not read yet, `settle` reads it and starts again. Few files are ever needed.
 */
export class PythonRepository {
  readonly #parser: PythonParser;
  readonly #readFile: ReadFile;
  readonly #modules = new Map<string, PythonModule | undefined>();
  readonly #expressions = new Map<string, Node>();

  constructor({
    parser,
    readFile,
  }: {
    readonly parser: PythonParser;
    readonly readFile: ReadFile;
  }) {
    this.#parser = parser;
    this.#readFile = readFile;
  }

  /** Runs `work` until every file it asks for has been read. */
  async settle<T>(work: () => T, signal?: AbortSignal): Promise<T> {
    for (;;) {
      signal?.throwIfAborted();
      try {
        return work();
      } catch (error) {
        if (!(error instanceof ModuleNeeded)) throw error;
        await this.#load(error.path, signal);
      }
    }
  }

  /** The file, or undefined when the repo has none of this path. Throws ModuleNeeded when nobody looked yet. */
  file(path: string): PythonModule | undefined {
    if (!this.#modules.has(path)) throw new ModuleNeeded(path);
    return this.#modules.get(path);
  }

  /** The module that an import in `from` names, if it is a file of the repo. */
  module({
    reference,
    from,
  }: {
    readonly reference: ModuleReference;
    readonly from: PythonModule;
  }): PythonModule | undefined {
    if (reference.level === 0 && installedModules.has(reference.name.split(".")[0]!)) {
      return undefined;
    }
    for (const base of searchFolders({ reference, from })) {
      const stem = posix.join(base, ...reference.name.split(".").filter((part) => part !== ""));
      if (stem.startsWith("..")) continue;
      for (const path of [`${stem}.py`, posix.join(stem, "__init__.py"), `${stem}.pyi`]) {
        const found = this.file(path);
        if (found !== undefined && found !== from) return found;
      }
    }
    return undefined;
  }

  /** Parses the text of an annotation as an expression; undefined when it is none. */
  expression(text: string): Node | undefined {
    let root = this.#expressions.get(text);
    if (root === undefined) {
      root = this.#parser.parse(`(${text})`);
      this.#expressions.set(text, root);
    }
    if (root.hasError) return undefined;
    return root.namedChild(0)?.namedChild(0)?.namedChild(0) ?? undefined;
  }

  async #load(path: string, signal?: AbortSignal): Promise<void> {
    const isWithinLimit = this.#modules.size < filesMax;
    const text = isWithinLimit
      ? await this.#readFile(path, signal === undefined ? {} : { signal })
      : undefined;
    const root = text === undefined ? undefined : this.#parser.parse(text);
    this.#modules.set(path, root === undefined ? undefined : readModule({ path, root }));
  }
}

/** Files looked for in one run, present or not: an import maze ends in a problem, not in minutes of reading. */
const filesMax = 500;

/** Control flow of PythonRepository: the file must be read before the answer is known. Never leaves `settle`. */
export class ModuleNeeded extends Error {
  readonly path: string;
  constructor(path: string) {
    super(path);
    this.path = path;
  }
}

function searchFolders({
  reference,
  from,
}: {
  readonly reference: ModuleReference;
  readonly from: PythonModule;
}): string[] {
  const folder = posix.dirname(from.path);
  if (reference.level > 0) {
    return [posix.join(folder, ...Array.from({ length: reference.level - 1 }, () => ".."))];
  }
  // Python's search path holds the repo; a predictor in a subfolder often adds its own folder by hand.
  return folder === "." ? ["."] : [".", folder];
}

/** Never files of the repo, though a file of that name may lie there. */
const installedModules: ReadonlySet<string> = new Set([
  "cog",
  "typing",
  "typing_extensions",
  "builtins",
  "pydantic",
  "enum",
  "collections",
  "dataclasses",
  "pathlib",
  "os",
  "sys",
]);
