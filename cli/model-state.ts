import type { ModelState } from "../gateway/index.ts";
import type { Instance, Runtime } from "../runtime/index.ts";

/** How a model stands now, by its instances; `idle`: the next call wakes one. Wakes nothing. */
export function modelState(runtime: Pick<Runtime, "instances">, modelId: string): ModelState {
  const states = new Set<Instance["state"]>(
    runtime
      .instances()
      .filter((instance) => instance.modelId === modelId)
      .map(({ state }) => state),
  );
  if (states.has("ready")) return "ready";
  if (states.has("busy")) return "busy";
  return states.has("starting") || states.has("created") ? "starting" : "idle";
}
