/** One decision on an instance's way up, by the platform or by the OCI runtime wrapper; for `byom snapshot explain`. */
export interface Decision {
  /** ISO 8601 with milliseconds. */
  readonly at: string;
  readonly by: "platform" | "oci-runtime" | "criu";
  /** Stable word: `snapshot-found`, `key-differs`, `marker-written`, `restore-begin`, `files-applied`, `restore-failed`, `cold`, `quarantined`, `proved`, … */
  readonly what: string;
  /** A sentence for the reader. */
  readonly text: string;
  readonly snapshotId?: string;
}

/** What was decided for each instance; bounded, kept beyond the instance's end and a restart of the platform. */
export interface DecisionLog {
  add(instanceId: string, decision: Omit<Decision, "at">): void;
  /** Takes over what the wrapper has written for this container, once its start has ended either way. */
  collect(instanceId: string, containerId: string): Promise<void>;
  /** Oldest first; empty for an instance that was never heard of. An ID may be a container's or a unique beginning. */
  explain(instanceId: string): Promise<readonly Decision[]>;
}
