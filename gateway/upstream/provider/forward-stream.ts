import { canceledError } from "../../errors.ts";
import type { LegRun } from "../../prediction/leg-run.ts";
import { forward, type ForwardOptions } from "./forward.ts";

/**
 * Runs a request in the provider's own shape: each event of its stream goes into the run's log as it came, a whole
 * answer as one event.
 */
export async function forwardStream(
  options: { readonly leg: LegRun } & Omit<
    ForwardOptions,
    "legId" | "onFrame" | "onMetrics" | "onStoppable"
  >,
): Promise<void> {
  const { leg } = options;
  const { signal } = leg;
  const startedAt = performance.now();
  let onAbort: (() => void) | undefined;
  try {
    const { body, metrics } = await forward({
      ...options,
      legId: leg.leg.begin.id,
      onFrame: (frame) => leg.take("raw", frame),
      onMetrics: (counted) => {
        leg.metrics = counted;
      },
      onStoppable(stop) {
        leg.markSent(() => stop(canceledError()));
        onAbort = () => stop(signal.reason);
        if (signal.aborted) onAbort();
        else signal.addEventListener("abort", onAbort, { once: true });
      },
    });
    if (body !== undefined) leg.take("raw", body);
    const seconds = (performance.now() - startedAt) / 1000;
    const completed = { status: "succeeded", metrics: { predict_time: seconds, ...metrics } };
    leg.take("completed", Buffer.from(JSON.stringify(completed)));
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
  }
}
