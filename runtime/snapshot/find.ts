import { explainDifference, keyIdentity } from "./key.ts";
import type { CompatibilityKey, Snapshot } from "./snapshot.ts";

/** @see Snapshotter.find. Pure. */
export function findSnapshot(
  snapshots: readonly Snapshot[],
  key: CompatibilityKey,
):
  | { readonly snapshot: Snapshot }
  | { readonly snapshot?: undefined; readonly reason: string; readonly failed?: Snapshot } {
  const identity = keyIdentity(key);
  const same = snapshots.filter((snapshot) => keyIdentity(snapshot.key) === identity);
  const available = same.find((snapshot) => snapshot.status === "available");
  if (available !== undefined) return { snapshot: available };
  const [latest] = same;
  if (latest !== undefined) {
    const reason = `snapshot ${latest.status}: ${latest.reason ?? "unknown"}`;
    return { reason, ...(latest.status === "failed" ? { failed: latest } : {}) };
  }
  const [nearest] = snapshots
    .filter((snapshot) => snapshot.status === "available" && isRelated(snapshot.key, key))
    .map((snapshot) => explainDifference(snapshot.key, key))
    .toSorted((a, b) => a.length - b.length);
  return {
    reason: nearest === undefined ? "no snapshot yet" : `no snapshot fits: ${nearest.join(", ")}`,
  };
}

/** Of the same model, as far as a key tells: the same image, or the same weights under another image. */
function isRelated(one: CompatibilityKey, other: CompatibilityKey): boolean {
  const { imageId, weightsDigest, environment } = one;
  if (imageId === other.imageId) return true;
  const hasSameRest = environment === other.environment && weightsDigest === other.weightsDigest;
  return hasSameRest && weightsDigest.startsWith("sha256:");
}
