import { GatewayError } from "../errors.ts";
import type { Outcome, Run } from "./run.ts";

/**
 * The outcome of a run for a caller who holds the line. While it waits it counts as a listener of the run.
 * @throws `GatewayError` `canceled` when the caller leaves
 */
export async function waitForCaller(run: Run, signal: AbortSignal): Promise<Outcome> {
  const detach = run.attach();
  try {
    const left = Promise.withResolvers<undefined>();
    const onAbort = (): void => left.resolve(undefined);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    const outcome = await Promise.race([run.finished, left.promise]);
    signal.removeEventListener("abort", onAbort);
    if (outcome === undefined) throw new GatewayError("canceled", "The caller left.");
    return outcome;
  } finally {
    detach();
  }
}

/** The outcome when it comes within `holdMs`; undefined when the time runs out or the caller leaves. */
export async function holdFor(
  run: Run,
  options: { readonly holdMs: number; readonly signal: AbortSignal },
): Promise<Outcome | undefined> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), options.holdMs);
  try {
    return await waitForCaller(run, AbortSignal.any([options.signal, timeout.signal]));
  } catch (error) {
    if (error instanceof GatewayError && error.code === "canceled") return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
