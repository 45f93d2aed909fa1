/** Documented in README.md: scripts branch on them. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  interrupted: 130,
} as const;

/** A command line that cannot be understood; the message names the flag or argument. */
export class UsageError extends Error {
  readonly code = "usage";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.name = "UsageError";
    this.hint = hint;
  }
}

/** A command that was understood and cannot succeed for a reason that the user can mend. */
export class CommandError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  /** Machine-readable facts for `--json`. */
  readonly details: unknown;

  constructor(options: {
    code: string;
    message: string;
    hint?: string;
    details?: unknown;
    cause?: unknown;
  }) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CommandError";
    this.code = options.code;
    this.hint = options.hint;
    this.details = options.details;
  }
}

/** The shape that every room's errors share, whatever their class. */
export interface DescribedError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly details?: unknown;
}

/** Turns anything thrown into what the CLI prints; an unknown error keeps its message and gets the code `internal`. */
export function describeError(error: unknown): DescribedError {
  if (!(error instanceof Error)) return { code: "internal", message: String(error) };
  const { code, hint, problems, details } = error as Error & {
    code?: unknown;
    hint?: unknown;
    details?: unknown;
    /** Of a file that is wrong in several places. */
    problems?: unknown;
  };
  return {
    code: typeof code === "string" ? code : "internal",
    message: error.message,
    ...(typeof hint === "string" && { hint }),
    ...(details !== undefined && { details }),
    ...(details === undefined && problems !== undefined && { details: { problems } }),
  };
}
