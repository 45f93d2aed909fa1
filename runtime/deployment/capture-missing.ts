import type { Member } from "../autoscale/member.ts";
import type { PoolContext } from "../autoscale/pool.ts";
import { captureSnapshot } from "./capture.ts";

/** A caller's open connection makes a capture fail once; what fails more often is the model's own. */
const captureAttemptsMax = 3;

/** An instance without a snapshot gets one before it rests; a few tries per version and process. */
export async function captureMissing(
  context: PoolContext,
  attempts: Map<string, number>,
  member: Member,
  signal: AbortSignal,
): Promise<void> {
  const key = `${member.modelId}@${member.version}`;
  const attempt = attempts.get(key) ?? 0;
  if (!context.snapshotter.capability.isAvailable || attempt >= captureAttemptsMax) return;
  attempts.set(key, attempt + 1);
  const version = context.version(member.modelId, member.version);
  if (version === undefined) return;
  const concurrency = context.deployment(member.modelId)?.scaling.concurrency ?? 1;
  const { example } = version;
  const captured = await captureSnapshot(context, {
    version,
    instance: member,
    concurrency,
    example,
    signal,
  });
  if (captured.snapshot === undefined) return;
  attempts.delete(key);
  if (!captured.isNew) return;
  const { id: snapshotId, captureMs: ms } = captured.snapshot;
  context.emit({
    type: "snapshot-capture",
    modelId: member.modelId,
    version: member.version,
    instanceId: member.id,
    snapshotId,
    ms,
  });
}
