import type { InputProblem } from "./catalog/validate-input.ts";
import { retryAfterDefaultMs } from "./limits.ts";

/** What went wrong, as one word that stays the same over releases; each surface renders it in its own shape. */
export type GatewayErrorCode =
  | "invalid_request"
  | "invalid_input"
  | "unsupported_parameter"
  | "unauthenticated"
  | "forbidden"
  | "not_found"
  | "model_not_found"
  | "method_not_allowed"
  | "conflict"
  | "not_acceptable"
  | "too_large"
  | "capacity"
  | "provider_not_configured"
  | "rate_limited"
  | "budget_exceeded"
  | "start_failed"
  | "start_timeout"
  | "shutting_down"
  | "upstream_failed"
  | "upstream_cut"
  | "upstream_timeout"
  | "prediction_failed"
  | "canceled"
  | "internal";

const statusByCode: Readonly<Record<GatewayErrorCode, number>> = {
  invalid_request: 400,
  invalid_input: 400,
  unsupported_parameter: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  model_not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  not_acceptable: 406,
  too_large: 413,
  capacity: 503,
  provider_not_configured: 503,
  rate_limited: 429,
  budget_exceeded: 429,
  start_failed: 503,
  start_timeout: 503,
  shutting_down: 503,
  upstream_failed: 502,
  upstream_cut: 502,
  upstream_timeout: 504,
  prediction_failed: 500,
  // What nginx logs for a caller who left; nobody is there to read it.
  canceled: 499,
  internal: 500,
};

export interface GatewayErrorFacts {
  /** The request's parameter at fault, such as `temperature`. */
  readonly parameter?: string;
  /** Every problem of an input, for `invalid_input`. */
  readonly problems?: readonly InputProblem[];
  /** Set when the same call may succeed after this many milliseconds. */
  readonly retryAfterMs?: number;
  readonly hint?: string;
  /** Of the upstream's answer, when it was one that failed. */
  readonly upstreamStatus?: number;
  /** What the upstream itself asked for; `retryAfterMs` may be the gateway's own guess. */
  readonly upstreamRetryAfterMs?: number;
  /** Another upstream would fail alike: none is tried. */
  readonly isFinal?: boolean;
  readonly cause?: unknown;
}

/** Every failure that the gateway tells a caller about. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: GatewayErrorCode;
  readonly parameter: string | undefined;
  readonly problems: readonly InputProblem[];
  readonly retryAfterMs: number | undefined;
  readonly hint: string | undefined;
  readonly upstreamStatus: number | undefined;
  readonly upstreamRetryAfterMs: number | undefined;
  readonly isFinal: boolean;

  constructor(code: GatewayErrorCode, message: string, facts: GatewayErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.parameter = facts.parameter;
    this.problems = facts.problems ?? [];
    this.retryAfterMs = facts.retryAfterMs;
    this.hint = facts.hint;
    this.upstreamStatus = facts.upstreamStatus;
    this.upstreamRetryAfterMs = facts.upstreamRetryAfterMs;
    this.isFinal = facts.isFinal ?? false;
  }

  /** The HTTP status of this failure where the surface has no status of its own for it. */
  get status(): number {
    return statusByCode[this.code];
  }

  /** Whether the same request may succeed later; a client that retries anything else only repeats the work. */
  get isRetryable(): boolean {
    return (
      this.retryAfterMs !== undefined ||
      this.code === "capacity" ||
      this.code === "rate_limited" ||
      this.code === "start_timeout" ||
      this.code === "shutting_down"
    );
  }

  /** Any thrown value as an error of this family; what is unknown becomes `internal` and keeps its cause. */
  static from(error: unknown): GatewayError {
    if (error instanceof GatewayError) return error;
    return new GatewayError("internal", "The gateway failed to handle this request.", {
      cause: error,
      hint: "This is a fault of the gateway; its log has the cause under this request's id.",
    });
  }
}

const acquireCodes: ReadonlySet<string> = new Set<GatewayErrorCode>([
  "model_not_found",
  "start_failed",
  "start_timeout",
  "capacity",
  "shutting_down",
]);

/** Translates the rejection of `Upstream.acquire` (its `code`, `message` and `retryAfterMs`). */
export function fromAcquireError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (!(error instanceof Error) || !("code" in error) || !acquireCodes.has(String(error.code))) {
    return new GatewayError("start_failed", "The model could not be started.", { cause: error });
  }
  const retryAfterMs =
    "retryAfterMs" in error && typeof error.retryAfterMs === "number"
      ? error.retryAfterMs
      : undefined;
  return new GatewayError(error.code as GatewayErrorCode, error.message, {
    cause: error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...("hint" in error && typeof error.hint === "string" ? { hint: error.hint } : {}),
  });
}

/** A prediction that somebody stopped. */
export function canceledError(): GatewayError {
  return new GatewayError("canceled", "The prediction was canceled.");
}

/** Nothing new begins in a platform that stops. */
export function shuttingDown(): GatewayError {
  return new GatewayError("shutting_down", "The platform is shutting down.", {
    retryAfterMs: retryAfterDefaultMs,
  });
}
