import type { LegBegin, LegEnd } from "../../../gateway/route/leg.ts";
import type { LegCost } from "../../../gateway/usage/accounts.ts";

export interface BenchLeg {
  readonly begin: LegBegin;
  readonly end: LegEnd;
  readonly cost: LegCost;
}

/** `request` is unique to each leg; the others have 2 to 10,000 values. */
export const metadataNames = [
  "request",
  "customer",
  "team",
  "feature",
  "environment",
  "region",
  "tier",
  "beta",
  "session",
  "language",
] as const;

const dayMs = 86_400_000;
const day = Date.UTC(2026, 10, 23);

/** One leg of a day, spread evenly over it; its values follow from its number alone. */
export function benchLeg(n: number, legsOfDay: number): BenchLeg {
  const callId = `pred_${n.toString(36).padStart(12, "0")}`;
  const inputTokens = 100 + ((n * 7_919) % 3_000);
  const outputTokens = 10 + ((n * 104_729) % 500);
  const lines = [
    { unit: "input-token", quantity: inputTokens, nanoUsd: 150 * inputTokens },
    { unit: "output-token", quantity: outputTokens, nanoUsd: 600 * outputTokens },
  ];
  return {
    begin: {
      id: `${callId}.0`,
      callId,
      index: 0,
      beganAtMs: day + Math.floor((n * dayMs) / legsOfDay),
      model: `owner/model-${n % 12}`,
      version: 1,
      provider: `provider-${n % 4}`,
      upstreamModel: `model-${n % 12}`,
      keyId: `key-${n % 60}`,
      isCallersKey: false,
      metadata: {
        request: `request-${n}`,
        customer: `customer-${(n * 31) % 500}`,
        team: `team-${n % 12}`,
        feature: `feature-${n % 25}`,
        environment: n % 4 === 0 ? "staging" : "production",
        region: `region-${n % 5}`,
        tier: n % 4,
        beta: n % 2 === 0,
        session: `session-${(n * 17) % 10_000}`,
        language: `language-${n % 9}`,
      },
    },
    end: {
      state: n % 50 === 0 ? "failed" : "succeeded",
      durationMs: 400 + (n % 900),
      firstOutputMs: 90 + (n % 70),
      metrics: { input_tokens: inputTokens, output_tokens: outputTokens },
      usage: { inputTokens, outputTokens, isEstimated: false },
    },
    cost: {
      nanoUsd: 150 * inputTokens + 600 * outputTokens,
      lines,
      isEstimated: false,
      isPriced: true,
    },
  };
}
