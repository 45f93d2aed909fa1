import { GatewayError } from "../../errors.ts";
import type { Run } from "../../prediction/run.ts";
import { forward, type ForwardOptions } from "./forward.ts";

/** Runs a streamed request in the provider's own shape: each of its events goes into the run's log as it came. */
export async function forwardStream(
  options: { readonly run: Run } & Omit<ForwardOptions, "onFrame" | "onStoppable">,
): Promise<void> {
  const { run } = options;
  const startedAt = performance.now();
  const { metrics } = await forward({
    ...options,
    onFrame: (frame) => run.take("raw", frame),
    onStoppable(stop) {
      run.markSent(() => stop(canceledError()));
      if (run.signal.aborted) stop(run.signal.reason);
      else run.signal.addEventListener("abort", () => stop(run.signal.reason), { once: true });
    },
  });
  const seconds = (performance.now() - startedAt) / 1000;
  const completed = { status: "succeeded", metrics: { predict_time: seconds, ...metrics } };
  run.take("completed", Buffer.from(JSON.stringify(completed)));
}

function canceledError(): GatewayError {
  return new GatewayError("canceled", "The prediction was canceled.");
}
