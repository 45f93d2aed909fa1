import type { GatewayErrorCode } from "../errors.ts";
import type { Leg } from "../route/leg.ts";

/** Where a call came from: what the HTTP request says beside its input. */
export interface CallOrigin {
  readonly requestId: string;
  /** `openai`, `anthropic`, `replicate`, `workers-ai`, `ai-gateway`, `cog`. */
  readonly surface: string;
  readonly path: string;
  /** The caller's own id of this event (`cf-aig-event-id`). */
  readonly eventId?: string;
  /** `cf-aig-collect-log`; absent: as the rules say. */
  readonly collectLog?: boolean;
  /** `cf-aig-collect-log-payload`; absent: as the rules say. */
  readonly collectPayload?: boolean;
  /** W3C trace context of the caller (`traceparent`, or `cf-aig-otel-trace-id` with `-parent-span-id`). */
  readonly traceId?: string;
  readonly parentSpanId?: string;
}

/** One call from acceptance to its end, as logs, spans and metrics tell it. */
export interface CallRecord {
  readonly id: string;
  /** Absent for a prediction that was run again after a restart. */
  readonly origin?: CallOrigin;
  /** Milliseconds since the epoch. */
  readonly beganAtMs: number;
  readonly durationMs: number;
  /** To the first output of the leg that answered. */
  readonly firstOutputMs?: number;
  /** As the caller named it. */
  readonly requestedModel: string;
  /** The one that answered, or was tried last. */
  readonly model: string;
  readonly task: string;
  readonly route?: string;
  readonly keyId?: string;
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
  readonly isStreamed: boolean;
  readonly status: "succeeded" | "failed" | "canceled" | "aborted";
  readonly code?: GatewayErrorCode;
  readonly error?: string;
  readonly isCached: boolean;
  readonly legs: readonly Leg[];
  /** What all legs cost together. */
  readonly nanoUsd: number;
  /** The input and output, for the telemetry to keep, cut and redact as its rules say; made only when asked for. */
  readonly payload?: () => CallPayload;
}

export interface CallPayload {
  readonly input: unknown;
  readonly output: unknown;
}

/** Takes what is told of calls. Never blocks and never throws: what does not fit is dropped and counted. */
export interface Telemetry {
  record(call: CallRecord): void;
}
