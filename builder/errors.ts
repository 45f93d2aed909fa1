import type { Problem } from "./problem.ts";

/** Everything the builder throws on purpose. `code` is stable; `hint` says what to do, for the CLI to render. */
export class BuilderError extends Error {
  override readonly name: string = "BuilderError";
  readonly code: string;
  readonly hint: string | undefined;

  constructor(
    message: string,
    options: {
      readonly code: string;
      readonly hint?: string | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.hint = options.hint;
  }
}

/** The folder holds no cog.yaml. */
export class ConfigNotFoundError extends BuilderError {
  override readonly name = "ConfigNotFoundError";
  readonly directory: string;
  readonly file: string;

  constructor(options: {
    readonly directory: string;
    readonly file: string;
    readonly hint?: string;
    readonly cause?: unknown;
  }) {
    super(`no ${options.file} in ${options.directory}`, {
      code: "CONFIG_NOT_FOUND",
      hint: options.hint ?? "write one with `byom init`, or name the model repo with `-C DIR`",
      cause: options.cause,
    });
    this.directory = options.directory;
    this.file = options.file;
  }
}

/** A file of the model repo was read and has errors; `problems` holds every one of them, warnings too. */
export class ConfigInvalidError extends BuilderError {
  override readonly name = "ConfigInvalidError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const errors = problems.filter((problem) => problem.severity === "error");
    const files = [...new Set(errors.map((problem) => problem.file))].join(", ");
    super(`${files} has ${errors.length === 1 ? "an error" : `${errors.length} errors`}`, {
      code: "CONFIG_INVALID",
      hint: "correct what is listed and run the command again",
    });
    this.problems = problems;
  }
}

/** A file or folder of the model repo cannot be read. */
export class RepositoryReadError extends BuilderError {
  override readonly name = "RepositoryReadError";
  readonly path: string;

  constructor(options: { readonly path: string; readonly cause: unknown }) {
    super(`cannot read ${options.path}: ${reasonOf(options.cause)}`, {
      code: "REPOSITORY_UNREADABLE",
      hint: "check that the path exists and that you may read it, or list it in .dockerignore",
      cause: options.cause,
    });
    this.path = options.path;
  }
}

/** A compatibility table that is none. */
export class CompatibilityTableError extends BuilderError {
  override readonly name = "CompatibilityTableError";

  constructor(options: {
    readonly source: string;
    readonly problem: string;
    readonly cause?: unknown;
  }) {
    super(`${options.source} is no compatibility table: ${options.problem}`, {
      code: "COMPATIBILITY_TABLE_INVALID",
      hint: "`byom compat show --json` prints a good one; `byom compat reset` goes back to that of this release",
      cause: options.cause,
    });
  }
}

/** The message of anything thrown. */
export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
