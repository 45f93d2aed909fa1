import { setTimeout as delay } from "node:timers/promises";

import type { Engine } from "../engine/engine.ts";
import type { InstanceContext } from "./start.ts";

/** A hung engine must not hold what comes after. */
const removeTimeoutMs = 30_000;

/** An engine that was killed is back within seconds; one that is upgraded, within minutes. */
const retryEveryMs = 1000;
const retriesMax = 600;

/**
 * Removes a container now or, while the engine is away, in the background as soon as it is back: nobody else would,
 * until the platform starts again. Never rejects; `onRemoved` is called when it is gone.
 */
export async function removeContainer(
  engine: Pick<Engine, "remove">,
  containerId: string,
  onRemoved: () => void = () => {},
): Promise<void> {
  const remove = async (): Promise<boolean> =>
    await engine.remove(containerId, { signal: AbortSignal.timeout(removeTimeoutMs) }).then(
      () => true,
      () => false,
    );
  if (await remove()) return onRemoved();
  void (async () => {
    for (let attempt = 0; attempt < retriesMax; attempt += 1) {
      // Its wait keeps no process alive: the next start removes what is left.
      await delay(retryEveryMs, undefined, { ref: false });
      if (await remove()) return onRemoved();
    }
  })().catch(() => {});
}

/** Removes an instance that is in no pool. Never rejects: what stays behind goes when the engine is back. */
export async function removeInstance(
  context: Pick<InstanceContext, "engine" | "instances">,
  instance: { readonly id: string; readonly containerId: string },
): Promise<void> {
  const { engine, instances } = context;
  await removeContainer(engine, instance.containerId, () => instances.remove(instance.id));
}
