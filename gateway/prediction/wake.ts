import { GatewayError } from "../errors.ts";
import type { Stop } from "../route/itinerary.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { Run } from "./run.ts";

/** A start that nobody waits for is given up after this: the model's own start timeout comes first. */
const wakeTimeoutMs = 30 * 60_000;

/**
 * Where the route says that a cold start is not to be waited for: wakes a model that does not run, for the calls to
 * come, and says that this one goes on to the next upstream. The leg is told of as abandoned.
 */
export function wakeInstead(options: {
  readonly run: Run;
  readonly stop: Stop;
  readonly upstream: Upstream;
}): boolean {
  const { run, stop, upstream } = options;
  const { candidate, policy } = stop;
  const { target, version } = candidate;
  if (policy.onColdStart !== "failover" || target.kind !== "deployment") return false;
  const state = upstream.state?.(target.modelId);
  if (state !== "idle" && state !== "starting" && state !== "failed") return false;
  if (state === "idle") wake(upstream, target.modelId, version);
  const failure = new GatewayError(
    "start_timeout",
    `${target.modelId} is ${state === "idle" ? "at zero; it is woken" : state} and not waited for.`,
  );
  const leg = run.journey.begin(candidate);
  leg.end({ state: "abandoned", metrics: {}, code: failure.code, error: failure.message });
  return true;
}

function wake(upstream: Upstream, modelId: string, version: number | undefined): void {
  const signal = AbortSignal.timeout(wakeTimeoutMs);
  upstream.acquire(modelId, { signal, ...(version !== undefined && { version }) }).then(
    (lease) => lease.release("done"),
    // The next call that needs it hears why it does not start.
    () => undefined,
  );
}
