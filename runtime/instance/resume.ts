import type { StartPhase, StartReport } from "../snapshot/snapshot.ts";
import { waitUntilReady } from "./readiness.ts";
import type { InstanceContext } from "./start.ts";

/**
 * Wakes a paused instance: the processes go on where they stood.
 * Rejects when it does not serve within the time; the caller then removes it and starts another.
 */
export async function resumeInstance(
  context: Pick<InstanceContext, "engine" | "dispatcher" | "clock">,
  instance: { readonly containerId: string },
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<StartReport> {
  const { engine, dispatcher, clock } = context;
  const { containerId } = instance;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
  const startedAt = clock.monotonicMs();
  await engine.unpause(containerId, { signal });
  const unpausedAt = clock.monotonicMs();
  const readiness = await waitUntilReady({ engine, containerId, dispatcher, clock, signal });
  if (!readiness.isReady) throw new Error(readiness.reason);
  const readyAt = clock.monotonicMs();
  const phases: StartPhase[] = [
    { name: "unpause", ms: unpausedAt - startedAt },
    { name: "ready", ms: readyAt - unpausedAt },
  ];
  return { mode: "resumed", phases, totalMs: readyAt - startedAt };
}
