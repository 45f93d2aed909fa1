import { isServing, readHealth } from "./health.ts";
import type { InstanceContext } from "./start.ts";

/**
 * Why a running instance cannot be used any more, or undefined. The container is asked first: the address of one
 * that is gone answers nothing at all for seconds.
 */
export async function findFailure(
  context: Pick<InstanceContext, "engine" | "dispatcher">,
  instance: { readonly containerId: string; readonly origin: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  const { engine, dispatcher } = context;
  const state = await engine.inspect(instance.containerId, { signal });
  if (state === undefined) return "its container is gone";
  if (state.status !== "running") {
    return `its container is ${state.status} (exit code ${state.exitCode ?? "unknown"})`;
  }
  const health = await readHealth(instance.origin, { dispatcher, signal });
  return isServing(health) ? undefined : `its health check says ${health.status}`;
}
