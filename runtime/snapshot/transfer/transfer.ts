import type { Digest, RegistryClient } from "../../../registry-client/index.ts";
import type { SnapshotDirectory } from "../directory.ts";
import type { CompatibilityKey, Snapshot } from "../snapshot.ts";
import type { SnapshotKeys } from "./signature.ts";

/** Where a snapshot travels: the repository of the model's image, which is the snapshot's subject. */
export interface SnapshotPlace {
  readonly client: RegistryClient;
  readonly repository: string;
  /** The image's manifest in that repository, by digest. */
  readonly image: Digest;
}

/** @see pushSnapshot */
export interface SnapshotPush {
  readonly directory: SnapshotDirectory;
  readonly snapshotId: string;
  readonly place: SnapshotPlace;
  readonly keys: SnapshotKeys;
  readonly onEvent?: OnTransferEvent | undefined;
  readonly signal: AbortSignal;
}

export interface PushedSnapshot {
  /** `registry/repository@digest` of the snapshot's own manifest. */
  readonly reference: string;
  readonly digest: Digest;
  /** As they went over the wire, compressed. */
  readonly uploadedBytes: number;
  /** Compressed bytes that the registry had already. */
  readonly skippedBytes: number;
  /** Of the snapshot on disk. */
  readonly sizeBytes: number;
}

/** @see pullSnapshot */
export interface SnapshotPull {
  readonly directory: SnapshotDirectory;
  readonly place: SnapshotPlace;
  /** What an instance of this version on this host asks for; only a snapshot of this key is taken. */
  readonly key: CompatibilityKey;
  readonly keys: SnapshotKeys;
  /** Largest snapshot that is taken, in bytes on disk. Default: 64 GiB. */
  readonly bytesMax?: number | undefined;
  readonly onEvent?: OnTransferEvent | undefined;
  readonly signal: AbortSignal;
}

export interface PulledSnapshot {
  readonly snapshot: Snapshot;
  /** Of the snapshot's manifest. */
  readonly digest: Digest;
  /** Compressed bytes that came over the wire; 0 when the snapshot was here already. */
  readonly downloadedBytes: number;
  readonly isNew: boolean;
  /** Who signed it. */
  readonly signedBy: string;
  /** Snapshots of the image that were passed over, and why. */
  readonly passedOver: readonly PassedOver[];
}

export interface PassedOver {
  readonly digest: Digest;
  readonly reason: string;
}

/** Progress in compressed bytes; `totalBytes` is known for pulls only. */
export type TransferEvent =
  | {
      readonly type: "snapshot-push-start";
      readonly snapshotId: string;
      readonly sizeBytes: number;
      readonly chunks: number;
    }
  | {
      readonly type: "snapshot-push-progress" | "snapshot-push-end";
      readonly snapshotId: string;
      readonly chunksDone: number;
      readonly chunks: number;
      readonly uploadedBytes: number;
    }
  | { readonly type: "snapshot-pass-over"; readonly digest: Digest; readonly reason: string }
  | {
      readonly type: "snapshot-pull-start" | "snapshot-pull-progress" | "snapshot-pull-end";
      readonly digest: Digest;
      readonly downloadedBytes: number;
      readonly totalBytes: number;
    };

export type OnTransferEvent = (event: TransferEvent) => void;
