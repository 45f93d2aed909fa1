import type { LegBegin, LegEnd } from "../../../../gateway/route/leg.ts";

/** A leg at a provider, as it begins. */
export function legBegin(over: Partial<LegBegin> = {}): LegBegin {
  return {
    id: "call.0",
    callId: "call",
    index: 0,
    beganAtMs: Date.UTC(2026, 10, 1),
    model: "acme/chat",
    version: 1,
    provider: "acme",
    upstreamModel: "chat-1",
    metadata: {},
    isCallersKey: false,
    ...over,
  };
}

/** A leg that succeeded after a second, unless said otherwise. */
export function legEnd(over: Partial<LegEnd> = {}): LegEnd {
  return { state: "succeeded", durationMs: 1_000, firstOutputMs: 100, metrics: {}, ...over };
}
