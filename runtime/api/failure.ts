import {
  AcquireError,
  ConflictError,
  DeployError,
  NotFoundError,
  SnapshotError,
  StartError,
} from "../errors.ts";

/** A request that the admin API itself refuses. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly status: number;
  readonly code: string;
  readonly hint?: string;

  constructor(status: number, code: string, message: string, hint?: string) {
    super(message);
    this.status = status;
    this.code = code;
    if (hint !== undefined) this.hint = hint;
  }
}

/** An error as a client of the admin API gets it. */
export interface Failure {
  readonly status: number;
  readonly body: {
    readonly error: {
      readonly code: string;
      readonly message: string;
      readonly hint?: string;
      readonly [fact: string]: unknown;
    };
  };
}

const acquireStatus: Readonly<Record<AcquireError["code"], number>> = {
  model_not_found: 404,
  start_failed: 422,
  start_timeout: 422,
  capacity: 503,
  shutting_down: 503,
};

/** Translates every error of the runtime into a status and `{ error: { code, message, hint, … } }`. */
export function failureOf(error: unknown): Failure {
  if (error instanceof RequestError) return failure(error.status, error);
  if (error instanceof NotFoundError) return failure(404, error);
  if (error instanceof ConflictError) return failure(409, error);
  if (error instanceof AcquireError) {
    const { retryAfterMs } = error;
    return failure(acquireStatus[error.code], error, { retryAfterMs });
  }
  if (error instanceof DeployError) {
    const { modelId, version, phase, exitCode, isOutOfMemory, logLines } = error;
    const status = error.code === "deploy_in_progress" ? 409 : 422;
    return failure(status, error, { modelId, version, phase, exitCode, isOutOfMemory, logLines });
  }
  if (error instanceof SnapshotError) return failure(422, error);
  if (error instanceof StartError) {
    const { phase, exitCode, isOutOfMemory, logLines } = error;
    return failure(422, error, { phase, exitCode, isOutOfMemory, logLines });
  }
  const message = error instanceof Error ? error.message : String(error);
  const { code, hint } = error as { code?: unknown; hint?: unknown };
  return failure(500, {
    code: typeof code === "string" ? code : "internal_error",
    message,
    ...(typeof hint === "string" ? { hint } : {}),
  });
}

function failure(
  status: number,
  error: { readonly code: string; readonly message: string; readonly hint?: string },
  facts: Readonly<Record<string, unknown>> = {},
): Failure {
  const { code, message, hint } = error;
  return {
    status,
    body: { error: { code, message, ...(hint === undefined ? {} : { hint }), ...facts } },
  };
}
