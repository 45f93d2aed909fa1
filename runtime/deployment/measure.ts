import { SnapshotError } from "../errors.ts";
import { removeInstance } from "../instance/remove.ts";
import { startInstance, type InstanceContext } from "../instance/start.ts";
import type { ReadyInstance } from "../instance/instance.ts";
import type { PayoffVerdict } from "../snapshot/payoff.ts";
import type { Snapshot, StartReport } from "../snapshot/snapshot.ts";
import { captureSnapshot } from "./capture.ts";
import type { Version } from "./version.ts";
import { mustWithhold, tryExample } from "./withhold.ts";

/** Progress of `byom snapshot create`, in the order in which the steps happen. */
export type SnapshotCreateEvent =
  | { readonly type: "snapshot-wait"; readonly modelId: string }
  | { readonly type: "measure-start"; readonly mode: "cold" | "restored"; readonly round: number }
  | { readonly type: "measure-end"; readonly start: StartReport; readonly ms: number }
  | { readonly type: "snapshot-start" }
  | {
      readonly type: "snapshot-end";
      readonly snapshotId: string;
      readonly sizeBytes: number;
      readonly ms: number;
    };

export interface MeasuredSnapshot {
  readonly snapshot: Snapshot;
  readonly payoff: PayoffVerdict;
  /** Every start that was timed, in milliseconds, in its order. */
  readonly coldMs: readonly number[];
  readonly restoredMs: readonly number[];
}

/** As many of each way as switch a snapshot off, at most. */
const roundsMax = 3;
/** The first cold start may have read the model from the disk and the next from memory: one is no measurement. */
const roundsMin = 2;
/** No further round begins after this: a model of minutes is measured once. */
const roundsTimeMs = 30_000;
/** A restore that takes less than this share of a cold start needs no third opinion. */
const clearShare = 0.8;

/**
 * Takes a snapshot of a fresh instance and times both ways of starting, in turns, so that a host that gets slower
 * meanwhile slows both. No instance is left behind; those that serve go on.
 * @throws SnapshotError when it cannot be taken or restored, StartError, the signal's reason.
 */
export async function measureSnapshot(
  context: InstanceContext,
  input: {
    readonly version: Version;
    readonly concurrency: number;
    readonly onEvent: (event: SnapshotCreateEvent) => void;
    readonly signal: AbortSignal;
  },
): Promise<MeasuredSnapshot> {
  const { clock, payoff } = context;
  const { version } = input;
  const subject = { modelId: version.modelId, version: version.number };
  const beganAt = clock.monotonicMs();
  payoff.forget(subject);
  const coldMs: number[] = [];
  const restoredMs: number[] = [];
  let snapshot: Snapshot | undefined;
  for (let round = 1; round <= roundsMax; round += 1) {
    const take = async (instance: ReadyInstance): Promise<void> => {
      snapshot = await capture(context, { ...input, instance });
    };
    const cold = { ...input, round, mode: "cold" } as const;
    coldMs.push(await timeStart(context, cold, round === 1 ? take : undefined));
    restoredMs.push(await timeStart(context, { ...input, round, mode: "restored" }));
    const isClear = restoredMs.every((ms) => ms < Math.min(...coldMs) * clearShare);
    if (round >= roundsMin && isClear) break;
    if (clock.monotonicMs() - beganAt >= roundsTimeMs) break;
  }
  if (snapshot === undefined) throw new TypeError("the first round takes the snapshot");
  return { snapshot, payoff: payoff.verdict(subject), coldMs, restoredMs };
}

/** From the request to ready, as the record of starts has it. */
async function timeStart(
  context: InstanceContext,
  input: Parameters<typeof measureSnapshot>[1] & {
    readonly mode: "cold" | "restored";
    readonly round: number;
  },
  use?: (instance: ReadyInstance) => Promise<void>,
): Promise<number> {
  const { version, concurrency, onEvent, signal, mode, round } = input;
  onEvent({ type: "measure-start", mode, round });
  const instance = await startInstance(context, {
    version,
    concurrency,
    wish: mode === "cold" ? "cold" : "measured-restore",
    withholdsSecrets: use !== undefined && mustWithhold(context, version),
    signal,
  });
  try {
    const { start, id } = instance;
    if (start.mode !== mode) {
      throw new SnapshotError(
        "snapshot_capture_failed",
        `the snapshot was taken, but could not be restored: ${start.reason ?? "no reason is known"}`,
        { hint: `\`byom snapshot explain ${id}\` shows what was tried` },
      );
    }
    const imageMs = start.phases.find(({ name }) => name === "image")?.ms ?? 0;
    const ms = start.totalMs - imageMs;
    onEvent({ type: "measure-end", start, ms });
    await use?.(instance);
    return ms;
  } finally {
    await removeInstance(context, instance);
  }
}

async function capture(
  context: InstanceContext,
  input: Parameters<typeof measureSnapshot>[1] & { readonly instance: ReadyInstance },
): Promise<Snapshot> {
  const { version, onEvent, signal, instance } = input;
  // What the first prediction loads or compiles belongs into the snapshot.
  const example = await tryExample(context, { version, instance, signal });
  onEvent({ type: "snapshot-start" });
  const captured = await captureSnapshot(context, {
    ...input,
    example,
    isForced: true,
    isWithheld: mustWithhold(context, version),
  });
  if (captured.snapshot === undefined) {
    throw new SnapshotError(
      "snapshot_capture_failed",
      `no snapshot could be taken: ${captured.reason}`,
    );
  }
  const { id: snapshotId, sizeBytes, captureMs: ms } = captured.snapshot;
  onEvent({ type: "snapshot-end", snapshotId, sizeBytes, ms });
  return captured.snapshot;
}
