import type { CallRecord } from "../../../../gateway/telemetry/call-record.ts";
import type { Leg } from "../../../../gateway/route/leg.ts";

export const beganAtMs: number = Date.parse("2026-11-23T12:00:00.000Z");

/** A leg that answered; `end` and the rest can be changed. */
export function leg(changes: Partial<Leg> = {}, end: Partial<Leg["end"]> = {}): Leg {
  return {
    id: "c1.0",
    callId: "c1",
    index: 0,
    beganAtMs,
    model: "acme/chat",
    version: 3,
    provider: "byom",
    upstreamModel: "acme/chat",
    metadata: {},
    isCallersKey: false,
    cost: {
      nanoUsd: 1_500,
      lines: [{ unit: "output-token", quantity: 3, nanoUsd: 1_500 }],
      isEstimated: false,
      isPriced: true,
    },
    ...changes,
    end: {
      state: "succeeded",
      durationMs: 20,
      firstOutputMs: 5,
      metrics: {},
      usage: { inputTokens: 4, outputTokens: 3, isEstimated: false },
      status: 200,
      ...end,
    },
  };
}

export function record(changes: Partial<CallRecord> = {}): CallRecord {
  return {
    id: "c1",
    origin: { requestId: "req_1", surface: "openai", path: "/v1/chat/completions" },
    beganAtMs,
    durationMs: 25.12345,
    firstOutputMs: 6,
    requestedModel: "acme/chat",
    model: "acme/chat",
    task: "text-generation",
    keyId: "key-1",
    metadata: {},
    isStreamed: false,
    status: "succeeded",
    isCached: false,
    legs: [leg()],
    nanoUsd: 1_500,
    ...changes,
  };
}
