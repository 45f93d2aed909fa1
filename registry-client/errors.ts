import type { Digest } from "./oci/digest.ts";

/** Stable names of what can go wrong with a registry; they are part of the public interface. */
export type RegistryErrorCode =
  | "invalid-reference"
  | "invalid-digest"
  | "invalid-manifest"
  | "invalid-credentials"
  | "connection-failed"
  | "unauthorized"
  | "denied"
  | "not-found"
  | "rate-limited"
  | "too-large"
  | "unavailable"
  | "refused"
  | "unsafe-address"
  | "protocol"
  | "digest-mismatch"
  | "size-mismatch"
  | "missing-blob"
  | "upload-failed";

interface RegistryErrorOptions {
  readonly code: RegistryErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** What every failure of this room looks like: a stable `code`, the facts as fields, the fix as `hint`. */
export class RegistryError extends Error {
  readonly code: RegistryErrorCode;
  readonly hint: string | undefined;

  constructor(options: RegistryErrorOptions) {
    super(options.message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.hint = options.hint;
  }
}

/** One entry of the registry's error body (OCI distribution-spec, "Error Codes"); control characters stripped. */
export interface RegistryProblem {
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
}

/** The registry answered, and the answer is not one that this request can use. */
export class RegistryResponseError extends RegistryError {
  readonly status: number;
  readonly method: string;
  /** Without its query, which may hold signatures. */
  readonly url: string;
  readonly problems: readonly RegistryProblem[];
  readonly retryAfterMs: number | undefined;

  constructor(
    options: RegistryErrorOptions & {
      readonly status: number;
      readonly method: string;
      readonly url: string;
      readonly problems: readonly RegistryProblem[];
      readonly retryAfterMs?: number | undefined;
    },
  ) {
    super(options);
    this.status = options.status;
    this.method = options.method;
    this.url = options.url;
    this.problems = options.problems;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** The same answer, told with what its reader must know besides. */
  restated(options: { readonly message: string; readonly hint?: string }): RegistryResponseError {
    const { code, status, method, url, problems, retryAfterMs, hint } = this;
    return new RegistryResponseError({
      code,
      status,
      method,
      url,
      problems,
      retryAfterMs,
      message: options.message,
      hint: options.hint ?? hint,
      cause: this,
    });
  }

  /** Whether the registry named this problem, such as `MANIFEST_BLOB_UNKNOWN`. */
  hasProblem(code: string): boolean {
    return this.problems.some((problem) => problem.code === code);
  }
}

/** No answer: the connection was refused, cut, or silent for too long. */
export class RegistryConnectionError extends RegistryError {
  readonly host: string;

  constructor(options: {
    readonly host: string;
    readonly message: string;
    readonly cause?: unknown;
    readonly hint?: string;
  }) {
    super({ ...options, code: "connection-failed" });
    this.host = options.host;
  }
}

/** The bytes are not those that the descriptor names; whatever was received must be discarded. */
export class DigestMismatchError extends RegistryError {
  readonly expected: Digest;
  readonly actual: string;

  constructor(options: {
    readonly expected: Digest;
    readonly actual: string;
    readonly message: string;
    readonly hint?: string;
    readonly cause?: unknown;
  }) {
    super({ ...options, code: "digest-mismatch" });
    this.expected = options.expected;
    this.actual = options.actual;
  }
}

/** A blob was given up after several tries in a row that moved nothing. */
export class UploadFailedError extends RegistryError {
  readonly digest: Digest;
  readonly tries: number;

  constructor(options: {
    readonly digest: Digest;
    readonly repository: string;
    readonly tries: number;
    readonly cause: unknown;
  }) {
    super({
      code: "upload-failed",
      message: `upload of ${options.digest} to ${options.repository} made no progress in ${options.tries} tries: ${messageOf(options.cause)}`,
      hint: "check the connection and any proxy in front of the registry, then push again: blobs that are there already are skipped",
      cause: options.cause,
    });
    this.digest = options.digest;
    this.tries = options.tries;
  }
}

/** The words of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
