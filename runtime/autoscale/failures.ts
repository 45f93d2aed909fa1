import { AcquireError, StartError } from "../errors.ts";
import type { AutoscaleLimits } from "./limits.ts";

/**
 * Failed starts in a row, per version of one model. The first is forgiven: the next caller tries again. From the
 * second on callers are turned away for a while, so that a broken model does not keep the host busy with starting it.
 */
export class StartFailures {
  readonly #modelId: string;
  readonly #limits: Pick<AutoscaleLimits, "restartBackoffMs" | "restartBackoffMaxMs">;
  readonly #failures = new Map<number, { count: number; untilMs: number; error: AcquireError }>();

  constructor(
    modelId: string,
    limits: Pick<AutoscaleLimits, "restartBackoffMs" | "restartBackoffMaxMs">,
  ) {
    this.#modelId = modelId;
    this.#limits = limits;
  }

  /** Notes a failed start; the error is for those who waited for it. */
  record(version: number, cause: unknown, nowMs: number): AcquireError {
    const count = (this.#failures.get(version)?.count ?? 0) + 1;
    const { restartBackoffMs, restartBackoffMaxMs } = this.#limits;
    const waitMs = Math.min(restartBackoffMs * 2 ** Math.max(0, count - 2), restartBackoffMaxMs);
    const error = acquireErrorOf(this.#modelId, cause, waitMs);
    this.#failures.set(version, { count, untilMs: count < 2 ? 0 : nowMs + waitMs, error });
    return error;
  }

  forget(version: number): void {
    this.#failures.delete(version);
  }

  /** The error for a caller who comes too early for another try. */
  refusal(version: number, nowMs: number): AcquireError | undefined {
    const failure = this.#failures.get(version);
    if (failure === undefined || failure.untilMs <= nowMs) return undefined;
    const { code, message, hint, cause } = failure.error;
    const retryAfterMs = Math.ceil(failure.untilMs - nowMs);
    return new AcquireError(code, message, { hint, cause, retryAfterMs });
  }
}

function acquireErrorOf(modelId: string, cause: unknown, retryAfterMs: number): AcquireError {
  if (cause instanceof AcquireError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof StartError ? cause.code : "start_failed";
  const hint = cause instanceof StartError ? cause.hint : undefined;
  return new AcquireError(code, `${modelId} could not be started: ${message}`, {
    retryAfterMs,
    hint,
    cause,
  });
}

/** A restart of the platform takes a few seconds. */
const retryAfterStopMs = 5000;

/** For callers that come, or still wait, while the platform stops. */
export function closedError(modelId: string): AcquireError {
  return new AcquireError("shutting_down", `the platform is stopping ${modelId}`, {
    retryAfterMs: retryAfterStopMs,
  });
}
