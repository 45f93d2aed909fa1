/** Desired state of one model. */
export interface Deployment {
  /** `owner/name`. */
  readonly modelId: string;
  /** Shares of the calls that name no version; they add up to 100. */
  readonly traffic: readonly TrafficShare[];
  readonly scaling: Scaling;
  /** ISO 8601. */
  readonly updatedAt: string;
}

export interface TrafficShare {
  readonly version: number;
  /** 1–100. */
  readonly percent: number;
}

export interface Scaling {
  /** Instances kept ready per version; 0: scale to zero. */
  readonly min: number;
  /** Instances at most per version. */
  readonly max: number;
  /** Predictions at once per instance. */
  readonly concurrency: number;
  /** Without a call for this long an instance above `min` is paused. */
  readonly idleTimeoutMs: number;
  /** Without a call for this long a paused instance is stopped: the model is at zero. */
  readonly stopTimeoutMs: number;
}

export const scalingDefault: Scaling = {
  min: 0,
  max: 1,
  concurrency: 1,
  idleTimeoutMs: 60_000,
  stopTimeoutMs: 600_000,
};

/** One change of a deployment, kept for history and rollback. */
export interface Release {
  readonly id: number;
  readonly modelId: string;
  readonly kind: "deploy" | "promote" | "rollback" | "scale";
  readonly traffic: readonly TrafficShare[];
  readonly scaling: Scaling;
  readonly by?: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** The version of a traffic split at a point in [0, 1). */
export function pickVersion(traffic: readonly TrafficShare[], point: number): number | undefined {
  let threshold = 0;
  for (const share of traffic) {
    threshold += share.percent / 100;
    if (point < threshold) return share.version;
  }
  return traffic.at(-1)?.version;
}
