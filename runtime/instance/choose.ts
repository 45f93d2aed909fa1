import { snapshotsOff, type Version } from "../deployment/version.ts";
import type { ContainerSpec } from "../engine/engine.ts";
import type { Payoff } from "../snapshot/payoff.ts";
import type { Snapshot, Snapshotter } from "../snapshot/snapshot.ts";

/** How an instance will be started from nothing: from this snapshot, or cold, with the reason. */
export type StartChoice =
  | { readonly snapshot: Snapshot; readonly reason?: undefined }
  | { readonly snapshot?: undefined; readonly reason: string };

/** A cold start is asked for; or a restore, whatever earlier ones took, because it is being measured. */
export type StartWish = "cold" | "measured-restore";

/** Looks for a snapshot that fits and pays. Rejects only with the signal's reason. */
export async function chooseStart(
  context: { readonly snapshotter: Snapshotter; readonly payoff: Payoff },
  request: {
    readonly version: Version;
    readonly spec: ContainerSpec;
    readonly wish?: StartWish | undefined;
    readonly signal: AbortSignal;
  },
): Promise<StartChoice> {
  const { snapshotter, payoff } = context;
  const { version, spec, wish, signal } = request;
  if (wish === "cold") return { reason: "a cold start was asked for" };
  const { snapshots } = version.settings;
  const off = snapshotsOff(version.settings);
  if (off !== undefined) return { reason: off };
  const { capability } = snapshotter;
  if (!capability.isAvailable) return { reason: capability.reason ?? "this host cannot snapshot" };
  try {
    const { weightsDigest, modelId, number } = version;
    const key = await snapshotter.key({ spec, weightsDigest }, { signal });
    const found = await snapshotter.find(key);
    if (found.snapshot === undefined) return { reason: found.reason };
    if (snapshots === "auto" && wish !== "measured-restore") {
      const verdict = payoff.verdict({ modelId, version: number });
      if (verdict.verdict === "does-not-pay") return { reason: verdict.reason };
    }
    return { snapshot: found.snapshot };
  } catch (error) {
    signal.throwIfAborted();
    const cause = error instanceof Error ? error.message : String(error);
    return { reason: `no snapshot could be looked up: ${cause}` };
  }
}
