import type { Deployments } from "../gateway/index.ts";
import { GatewayError } from "../gateway/index.ts";
import type { Runtime } from "../runtime/index.ts";

/** The runtime's deployments as the gateway shows and changes them. */
export function createDeployments(
  runtime: Pick<Runtime, "models" | "releases" | "promote" | "scale" | "removeModel">,
): Deployments {
  return {
    get(modelId) {
      const deployment = runtime.models().find(({ id }) => id === modelId)?.deployment;
      if (deployment === undefined) return undefined;
      const [release] = runtime.releases(modelId, { limit: 1 });
      return {
        release: release?.id ?? 0,
        version: deployment.traffic[0]?.version ?? 0,
        minInstances: deployment.scaling.min,
        maxInstances: deployment.scaling.max,
        changedAt: deployment.updatedAt,
      };
    },
    async change(modelId, { version, minInstances: min, maxInstances: max }, options) {
      await translated(async () => {
        if (min !== undefined || max !== undefined) {
          const scaling = { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
          await runtime.scale(modelId, scaling, options);
        }
        if (version !== undefined) await runtime.promote(modelId, { version }, options);
      });
    },
    async remove(modelId, options) {
      await translated(() => runtime.removeModel(modelId, options));
    },
  };
}

/** The runtime's refusals in the gateway's words. */
async function translated(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string")
      throw error;
    const hint = "hint" in error && typeof error.hint === "string" ? { hint: error.hint } : {};
    const code = error.code.endsWith("_not_found")
      ? "not_found"
      : error.code.endsWith("_in_progress")
        ? "conflict"
        : "unsupported_parameter";
    throw new GatewayError(code, error.message, { cause: error, ...hint });
  }
}
