/** One thing wrong, or worth knowing, in a file of the model repo. Problems are collected, never thrown one by one. */
export interface Problem {
  readonly severity: "error" | "warning";
  /** Path relative to the model repo, such as `cog.yaml`. */
  readonly file: string;
  /** 1-based; absent when the problem is about the file as a whole. */
  readonly line?: number;
  /** Dotted key, such as `build.gpu`. */
  readonly key?: string;
  /** What is wrong: `expected true or false, found "yes"`. */
  readonly message: string;
  /** What to do: `write build.gpu: true`. */
  readonly hint?: string;
}
