/** Bounds of the autoscaler. Every one can be set, for tests and for machines unlike the usual. */
export interface AutoscaleLimits {
  /** Callers that may wait for one model; one more gets `capacity`. */
  readonly queueMax: number;
  /** A caller waits this long for a slot of running instances (a start under way has its own deadline). */
  readonly queueTimeoutMs: number;
  /** A queue that lasts longer than this starts one more instance. */
  readonly scaleUpDelayMs: number;
  /** A drained instance's last predictions get this long. */
  readonly drainTimeoutMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly stopGraceMs: number;
  /** From unpause to an answered health check. */
  readonly resumeTimeoutMs: number;
  /** An idle instance is asked for its health this often. */
  readonly livenessIntervalMs: number;
  /**
   * An instance without a snapshot is captured after it was idle for this long: by then the gateway has closed its
   * connections to it, which it keeps for 4 s.
   */
  readonly captureIdleMs: number;
  /** After a second failed start in a row callers are turned away at once, first this long, then doubling. */
  readonly restartBackoffMs: number;
  readonly restartBackoffMaxMs: number;
  /** How often idle times, queues and health are looked at. */
  readonly tickMs: number;
}

export const autoscaleLimits: AutoscaleLimits = {
  queueMax: 1000,
  queueTimeoutMs: 60_000,
  scaleUpDelayMs: 500,
  drainTimeoutMs: 300_000,
  stopGraceMs: 5000,
  resumeTimeoutMs: 5000,
  livenessIntervalMs: 15_000,
  captureIdleMs: 5000,
  restartBackoffMs: 1000,
  restartBackoffMaxMs: 30_000,
  tickMs: 250,
};
