/** The gateway's one view of what serves a model: byom's instances today, third-party providers beside them later. */
export interface Upstream {
  /**
   * Reserves one slot on a ready instance of the model, waking one when there is none; concurrent callers of a
   * model at zero join one wake-up. Rejects with an error that has `code`, `message`, and `retryAfterMs` when
   * waiting might help (codes: `model_not_found`, `start_failed`, `start_timeout`, `capacity`, `shutting_down`).
   */
  acquire(modelId: string, options: AcquireOptions): Promise<Lease>;
  /** How the model stands now, without waking it; absent: unknown. */
  state?(modelId: string): ModelState;
}

/** `idle`: no instance runs, the next call wakes one. */
export type ModelState = "idle" | "starting" | "ready" | "busy" | "failed";

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
      /** Such as `image`, `create`, `engine-start`, `setup`, `ready`, `prove`, `unpause`. */
      readonly step: string;
    };

export interface Lease {
  /** Origin that speaks Cog's HTTP API, such as `http://172.18.0.3:5000`. */
  readonly origin: string;
  readonly instanceId: string;
  readonly version: number;
  readonly start: LeaseStart;
  /** Gives the slot back; `failed` marks a broken connection, so that the instance is checked before it is used again. */
  release(outcome: "done" | "failed"): void;
}

export interface LeaseStart {
  readonly mode: "running" | "resumed" | "restored" | "cold";
  readonly reason?: string;
  readonly totalMs: number;
  readonly phases: readonly {
    readonly name: string;
    readonly ms: number;
    /** Filled in this phase, for a rate. */
    readonly bytes?: number;
  }[];
}
