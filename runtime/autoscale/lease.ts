import type { StartReport } from "../snapshot/snapshot.ts";

export interface AcquireOptions {
  readonly signal: AbortSignal;
  /** Version number; default: by the deployment's traffic split. */
  readonly version?: number;
  /** Called while the caller waits, each time something changes; must not throw. */
  readonly onPhase?: (phase: WaitPhase) => void;
}

/** What a caller waits for: a slot of running instances, or one that comes up. */
export type WaitPhase =
  | { readonly state: "queued" }
  | {
      readonly state: "starting";
      /** Absent while it is not decided. */
      readonly mode?: "resumed" | "restored" | "cold";
      /** As the start's report names it: `image`, `create`, `engine-start`, `setup`, `ready`, `prove`, `unpause`. */
      readonly step: string;
    };

/** One reserved slot on a ready instance. */
export interface Lease {
  /** Origin that speaks Cog's HTTP API, such as `http://172.18.0.3:5000`. */
  readonly origin: string;
  readonly instanceId: string;
  readonly version: number;
  /** `running` when the slot was there already, else how the instance came up for this caller. */
  readonly start: StartReport;
  /** Gives the slot back; `failed` marks a broken connection: the instance is checked before it is used again. */
  release(outcome: "done" | "failed"): void;
}

/** What a lease says when nothing had to start for it. */
export const runningReport: StartReport = { mode: "running", phases: [], totalMs: 0 };
