import { GatewayError } from "../../../errors.ts";
import type { ProviderCall, ProviderRequest } from "../adapter.ts";
import { jobFailed } from "../failure.ts";

/** What a look at a job found. */
export type JobState<Result> =
  | { readonly state: "waiting"; readonly said: string }
  | { readonly state: "done"; readonly result: Result }
  /** In the provider's words. */
  | { readonly state: "failed"; readonly why: string };

export interface Job<Result> {
  readonly id: string;
  /** Between two looks. */
  readonly intervalMs: number;
  readonly look: () => Promise<JobState<Result>>;
  /** Stops the job, for providers that can. */
  readonly cancel?: ProviderRequest;
}

/** Looks in a row that may fail before the job is given up: a provider's hiccup must not lose work that is paid for. */
const lookFailuresMax = 5;

/**
 * Waits until a provider's job has ended. Its id and each change of its state go to the prediction's log; the call's
 * deadline bounds the time. When the call is aborted, or the job given up, the provider is told to cancel it.
 * @throws `GatewayError` `prediction_failed` with the provider's words; the signal's reason when aborted
 */
export async function pollJob<Result>(call: ProviderCall, job: Job<Result>): Promise<Result> {
  call.log(`job ${job.id}`);
  let isOver = false;
  let failures = 0;
  let pauseMs = job.intervalMs;
  let said = "";
  try {
    for (;;) {
      await call.pause(pauseMs);
      const found = await look(job);
      if (found instanceof GatewayError) {
        failures += 1;
        if (call.signal.aborted || failures > lookFailuresMax || !isPassing(found)) throw found;
        pauseMs = Math.max(job.intervalMs, found.retryAfterMs ?? 0);
        continue;
      }
      failures = 0;
      pauseMs = job.intervalMs;
      isOver = found.state !== "waiting";
      if (found.state === "done") return found.result;
      if (found.state === "failed") throw jobFailed(call.http.provider, found.why);
      if (found.said !== said) call.log(`job ${job.id}: ${found.said}`);
      said = found.said;
    }
  } finally {
    if (!isOver && job.cancel !== undefined) await call.http.afterwards(job.cancel);
  }
}

async function look<Result>(job: Job<Result>): Promise<JobState<Result> | GatewayError> {
  try {
    return await job.look();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
}

/** A failure to look that says nothing about the job; a refused key (it has a hint) will be refused again. */
function isPassing({ code, hint }: GatewayError): boolean {
  if (code === "upstream_failed") return hint === undefined;
  return code === "rate_limited" || code === "upstream_cut" || code === "upstream_timeout";
}
