import type { StartPhaseName } from "./errors.ts";
import type { StartReport } from "./snapshot/snapshot.ts";

/** Progress of one deploy, in the order in which the steps happen. */
export type DeployEvent =
  | { readonly type: "deploy-wait"; readonly modelId: string }
  | { readonly type: "image-ready"; readonly imageId: string; readonly ms: number }
  | { readonly type: "version-recorded"; readonly version: number; readonly isNew: boolean }
  | { readonly type: "setup-start"; readonly version: number; readonly instanceId: string }
  | { readonly type: "setup-end"; readonly instanceId: string; readonly start: StartReport }
  | { readonly type: "example-start" }
  | { readonly type: "example-end"; readonly output: unknown; readonly ms: number }
  | { readonly type: "snapshot-start" }
  | {
      readonly type: "snapshot-end";
      readonly snapshotId: string;
      readonly sizeBytes: number;
      readonly ms: number;
    }
  | { readonly type: "snapshot-skip"; readonly reason: string }
  | { readonly type: "traffic-switch"; readonly version: number; readonly from?: number }
  | { readonly type: "deploy-end"; readonly version: number; readonly ms: number };

/** What happens in the platform, for its log, its metrics and the catalog's keeper. */
export type RuntimeEvent =
  | { readonly type: "platform-start"; readonly adopted: number; readonly removed: number }
  | { readonly type: "platform-stop" }
  | {
      readonly type: "deploy-fail";
      readonly modelId: string;
      readonly phase?: StartPhaseName;
      readonly message: string;
    }
  | { readonly type: "release-change"; readonly modelId: string; readonly kind: string }
  | { readonly type: "model-remove"; readonly modelId: string }
  | InstanceEvent;

export type InstanceEvent = {
  readonly modelId: string;
  readonly version: number;
  readonly instanceId: string;
} & (
  | { readonly type: "instance-start" }
  | { readonly type: "instance-ready"; readonly start: StartReport }
  | { readonly type: "instance-fail"; readonly message: string }
  | { readonly type: "instance-crash"; readonly reason: string }
  | { readonly type: "instance-pause" }
  | { readonly type: "instance-drain"; readonly reason: string }
  | { readonly type: "instance-stop"; readonly reason: string }
  | { readonly type: "snapshot-quarantine"; readonly snapshotId: string; readonly reason: string }
  | { readonly type: "snapshot-capture"; readonly snapshotId: string; readonly ms: number }
);
