import type { Advice } from "../snapshot/advice.ts";
import type { PayoffVerdict } from "../snapshot/payoff.ts";
import type { Snapshot, SnapshotVerification } from "../snapshot/snapshot.ts";
import type {
  OnTransferEvent,
  PulledSnapshot,
  PushedSnapshot,
} from "../snapshot/transfer/transfer.ts";
import type { SnapshotKeys } from "../snapshot/transfer/signature.ts";
import type { StartSubject } from "../store/starts.ts";
import type { MeasuredSnapshot, SnapshotCreateEvent } from "./measure.ts";

/** What a snapshot has been good for, for one version; several models may run one image. */
export interface SnapshotUseReport extends StartSubject {
  readonly restores: number;
  readonly savedMs: number;
  /** ISO 8601. */
  readonly lastRestoredAt?: string;
  readonly payoff: PayoffVerdict;
}

/** A snapshot as it is listed. */
export interface SnapshotReport extends Snapshot {
  /** Versions that start from it, or whose image it is of. */
  readonly uses: readonly SnapshotUseReport[];
}

export interface SnapshotInspection extends SnapshotReport {
  readonly fit: {
    /** Absent: no version here is of its image, so that nothing would be started from it. */
    readonly fitsHost?: boolean;
    /** What changed since, such as `the kernel changed from 6.1.0 to 6.1.2`. */
    readonly reasons: readonly string[];
  };
  /** The change that makes it smaller by most first. */
  readonly advice: readonly Advice[];
}

/** How a version would be started from nothing now, and how long it took so far. */
export interface StartOutlook {
  readonly mode: "restored" | "cold";
  /** Why not restored. */
  readonly reason?: string;
  readonly payoff: PayoffVerdict;
}

export interface SnapshotTarget {
  readonly modelId: string;
  /** Default: the version with the largest share of the traffic. */
  readonly version?: number;
}

/** What an operator does with snapshots. */
export interface SnapshotVerbs {
  snapshots(): Promise<readonly SnapshotReport[]>;
  /** By its ID or a beginning that only it has. Rejects with NotFoundError, as all of these do. */
  snapshot(snapshotId: string, options: { signal: AbortSignal }): Promise<SnapshotInspection>;
  /**
   * Takes a snapshot now, whether there is one or not, and measures whether it pays, on instances of its own. Rejects
   * with SnapshotError when it cannot be taken or restored, with StartError when no instance starts.
   */
  createSnapshot(
    target: SnapshotTarget,
    options: { onEvent: (event: SnapshotCreateEvent) => void; signal: AbortSignal },
  ): Promise<SnapshotCreated>;
  /** Reads every byte and compares it with what was captured; a damaged one is not restored any more. */
  verifySnapshot(
    snapshotId: string,
    options: { signal: AbortSignal },
  ): Promise<SnapshotVerification & { readonly id: string }>;
  removeSnapshot(snapshotId: string): Promise<void>;
  /** To the registry, beside the image of its version, signed; or to the repository of `reference`. */
  pushSnapshot(
    subject: { readonly snapshotId: string } | SnapshotTarget,
    options: TransferOptions,
  ): Promise<PushedSnapshot & { readonly snapshotId: string }>;
  /** Whose snapshots are accepted. @throws SnapshotError `snapshot_unavailable` where none can come from elsewhere. */
  snapshotKeys(): Pick<SnapshotKeys, "list" | "trust" | "distrust">;
  /** The one that fits this host; of the model, or of the version whose image `reference` names. */
  pullSnapshot(
    target: SnapshotTarget | undefined,
    options: TransferOptions,
  ): Promise<PulledSnapshot>;
}

export interface TransferOptions {
  /** `registry/repository[@digest]`. Default: where the version's image is. */
  readonly reference?: string | undefined;
  readonly onEvent: OnTransferEvent;
  readonly signal: AbortSignal;
}

export interface SnapshotCreated extends MeasuredSnapshot {
  readonly modelId: string;
  readonly version: number;
}
