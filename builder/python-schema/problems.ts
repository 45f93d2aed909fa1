import type { Node } from "web-tree-sitter";
import type { Problem } from "../problem.ts";
import type { PythonModule } from "./module.ts";
import { lineOf } from "./syntax.ts";

/** Collects problems with their place; the same sentence about the same line is kept once. */
export class ProblemList {
  readonly #problems: Problem[] = [];
  readonly #questions: string[] = [];

  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** What only the built image can say: `parameter 'voice': choices`. */
  get questions(): readonly string[] {
    return this.#questions;
  }

  /** A warning about what is not in the source, and a question to the built image. */
  ask({
    module,
    node,
    what,
    reason,
    hint,
  }: {
    readonly module: PythonModule;
    readonly node: Node;
    /** What is asked: `parameter 'voice': choices`. */
    readonly what: string;
    readonly reason: string;
    /** What to write, so that the source says it. */
    readonly hint?: string;
  }): void {
    const message = `${what}: ${reason}`;
    const write = hint === undefined ? "" : `${hint}; `;
    const asked = `${write}until then the built image is asked`;
    this.add({ severity: "warning", module, node, message, hint: asked });
    if (!this.#questions.includes(what)) this.#questions.push(what);
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
