import type { GatewayErrorCode } from "../errors.ts";
import type { Usage } from "../usage/usage.ts";
import type { LegCost } from "../usage/accounts.ts";
import type { LeaseStart } from "../upstream/upstream.ts";

/**
 * How one try ended. `abandoned`: another leg was faster (hedging), or its answer came too late; `cached`: nothing was
 * sent; `interrupted`: the platform was killed while it ran, so that what it cost is not known yet.
 */
export type LegState = "succeeded" | "failed" | "canceled" | "abandoned" | "cached" | "interrupted";

/** One try of a call at one upstream, as it begins. */
export interface LegBegin {
  /** Unique over all calls; a provider gets it as `x-client-request-id`, so that its bill can be held against ours. */
  readonly id: string;
  /** The call's: `x-byom-prediction`, `cf-aig-log-id`. */
  readonly callId: string;
  /** From 0. */
  readonly index: number;
  /** Milliseconds since the epoch. */
  readonly beganAtMs: number;
  /** The catalog's id of the model that this leg calls. */
  readonly model: string;
  readonly version: number;
  /** `byom` for an own deployment, else the provider as the operator named it. */
  readonly provider: string;
  /** As the provider names it; for own deployments the model id. */
  readonly upstreamModel: string;
  readonly keyId?: string;
  /** `dynamic/NAME` when the call came by a route. */
  readonly route?: string;
  /** The caller's; all keys are kept. */
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
  /** The call was paid with the caller's own provider key: counted, and marked as not ours to pay. */
  readonly isCallersKey: boolean;
  /** What the caller says that it costs (`cf-aig-custom-cost`), instead of the catalog's price. */
  readonly customCost?: CustomCost;
}

/** In decimal US dollars, as the header gives them. */
export type CustomCost =
  | { readonly perTokenIn: string; readonly perTokenOut: string }
  | { readonly total: string };

/** How a try ended. */
export interface LegEnd {
  readonly state: LegState;
  readonly durationMs: number;
  /** To the first output. */
  readonly firstOutputMs?: number;
  /** What the upstream reported (`input_tokens`, `predict_time`, `images`, `audio_seconds`, …). */
  readonly metrics: Readonly<Record<string, unknown>>;
  /** Reported; of a leg that broke off after output, or reports none, estimated and marked so. */
  readonly usage?: Usage;
  /** Set for own deployments. */
  readonly start?: LeaseStart;
  readonly instanceId?: string;
  /** The version that served, where a deployment chose it. */
  readonly version?: number;
  readonly code?: GatewayErrorCode;
  readonly error?: string;
  /** Of the upstream's answer, when there was one. */
  readonly status?: number;
}

/** A try that has ended, with its cost. */
export interface Leg extends LegBegin {
  readonly end: LegEnd;
  readonly cost: LegCost;
}
