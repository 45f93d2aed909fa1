import { GatewayError } from "../../errors.ts";
import type { ProviderCall, ProviderRequest } from "./adapter.ts";

/** Before the first look at a job. */
const firstPauseMs = 500;
/** Each pause is longer than the one before by this. */
const pauseFactor = 1.5;
/** Longest pause between two looks: what a caller may wait for nothing. */
const pauseMaxMs = 5_000;
/** Looks in a row that may fail: a job that runs is not lost for a blip of its provider's status page. */
const failedLooksMax = 4;

export interface JobLook<Result> {
  /** As the provider says it; each new one goes to the prediction's log. */
  readonly state: string;
  /** Set once the job has ended well. */
  readonly result?: Result;
}

export interface Job<Result> {
  /** Asks how the job stands. */
  readonly look: ProviderRequest;
  /** Reads the answer. @throws `GatewayError` (`jobFailed`) when the job has ended badly */
  readonly read: (body: unknown) => JobLook<Result>;
  /** Tells the provider that nobody waits any more; absent where it has no such call. */
  readonly cancel?: ProviderRequest;
  /** Default: half a second, growing to five. */
  readonly pauseMs?: number;
}

/** Waits for a job of a provider: looks at it with growing pauses until it ends, and cancels it when the call is aborted. */
export async function pollJob<Result>(call: ProviderCall, job: Job<Result>): Promise<Result> {
  let pauseMs = job.pauseMs ?? firstPauseMs;
  let lastState = "";
  let failedLooks = 0;
  try {
    for (;;) {
      await call.pause(pauseMs);
      pauseMs = Math.min(pauseMs * pauseFactor, Math.max(pauseMaxMs, job.pauseMs ?? 0));
      let body: unknown;
      try {
        ({ body } = await call.http.json(job.look));
        failedLooks = 0;
      } catch (error) {
        failedLooks += 1;
        pauseMs = pauseAfter(call, error, { failedLooks, pauseMs });
        continue;
      }
      const { state, result } = job.read(body);
      if (state !== lastState) call.log(`${call.http.provider}: ${state}`);
      lastState = state;
      if (result !== undefined) return result;
    }
  } catch (error) {
    if (call.signal.aborted && job.cancel !== undefined) await call.http.afterwards(job.cancel);
    throw error;
  }
}

/** The pause after a look that failed; throws when there were too many of them, or looking again cannot help. */
function pauseAfter(
  call: ProviderCall,
  error: unknown,
  { failedLooks, pauseMs }: { readonly failedLooks: number; readonly pauseMs: number },
): number {
  const isPassing =
    error instanceof GatewayError &&
    (error.isRetryable ||
      ["upstream_failed", "upstream_cut", "upstream_timeout"].includes(error.code));
  if (call.signal.aborted || !isPassing || failedLooks > failedLooksMax) throw error;
  return Math.max(pauseMs, error.retryAfterMs ?? 0);
}
