import type { Node } from "web-tree-sitter";
import type { Problem } from "../problem.ts";
import type { PythonModule } from "./module.ts";
import { lineOf } from "./syntax.ts";

/** Collects problems with their place; the same sentence about the same line is kept once. */
export class ProblemList {
  readonly #problems: Problem[] = [];

  get problems(): readonly Problem[] {
    return this.#problems;
  }

  add({
    severity,
    module,
    node,
    message,
    hint,
  }: {
    readonly severity: Problem["severity"];
    readonly module: PythonModule;
    readonly node: Node;
    readonly message: string;
    readonly hint?: string;
  }): void {
    const problem: Problem = {
      severity,
      file: module.path,
      line: lineOf(node),
      message,
      ...(hint === undefined ? {} : { hint }),
    };
    const isKnown = this.#problems.some(
      (known) => known.line === problem.line && known.message === message,
    );
    if (!isKnown) this.#problems.push(problem);
  }
}
