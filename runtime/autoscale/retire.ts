import type { Clock } from "../clock.ts";
import type { InstanceContext } from "../instance/start.ts";
import { removeContainer } from "../instance/remove.ts";
import type { Member } from "./member.ts";

/** Room for the engine beyond the container's own grace. */
const retireTimeoutMs = 30_000;

/**
 * Stops and removes a member's container, then forgets it. The record goes last: a kill -9 in between leaves a
 * container that the next start still knows how to judge. Never rejects: what
 * stays behind goes when the engine is back.
 */
export async function retireMember(
  context: Pick<InstanceContext, "engine" | "instances">,
  member: Member,
  options: { readonly graceMs: number },
): Promise<void> {
  const { engine, instances } = context;
  const signal = AbortSignal.timeout(retireTimeoutMs + options.graceMs);
  if (options.graceMs > 0) {
    await engine.stop(member.containerId, { graceMs: options.graceMs, signal }).catch(() => {});
  }
  await removeContainer(engine, member.containerId, () => instances.remove(member.id));
}

/** Leases come back by a call, not by an event of ours: a coarse look is enough while draining. */
const drainPollMs = 20;

/** Resolves when the members have no prediction any more, or when the time is over. */
export async function untilIdle(
  members: readonly Member[],
  options: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<void> {
  const { clock, timeoutMs } = options;
  const startedAt = clock.monotonicMs();
  while (members.some((member) => member.inFlight > 0)) {
    if (clock.monotonicMs() - startedAt >= timeoutMs) return;
    await clock.delay(drainPollMs);
  }
}
