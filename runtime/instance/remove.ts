import type { InstanceContext } from "./start.ts";

/** A hung engine must not hold what comes after. */
const removeTimeoutMs = 30_000;

/** Removes an instance that is in no pool. Never rejects: what stays behind goes with the platform's next start. */
export async function removeInstance(
  context: Pick<InstanceContext, "engine" | "instances">,
  instance: { readonly id: string; readonly containerId: string },
): Promise<void> {
  const signal = AbortSignal.timeout(removeTimeoutMs);
  try {
    await context.engine.remove(instance.containerId, { signal });
    context.instances.remove(instance.id);
  } catch {
    // The record stays; the next start of the platform removes both.
  }
}
