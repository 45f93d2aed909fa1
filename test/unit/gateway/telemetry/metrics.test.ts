// Whoever is on call reads these numbers at three in the morning: they must be valid, bounded and right.
import { describe, expect, it } from "vitest";

import { CallMetrics } from "../../../../gateway/telemetry/metrics/call-metrics.ts";
import { Registry } from "../../../../gateway/telemetry/metrics/registry.ts";
import { seriesMax } from "../../../../gateway/telemetry/limits.ts";
import { parseMetrics } from "./prometheus-text.ts";
import { leg, record } from "./records.ts";

function valueOf(
  registry: Registry,
  name: string,
  labels: Readonly<Record<string, string>>,
): number | undefined {
  const family = name.replace(/_(?:bucket|sum|count)$/, "");
  const samples = parseMetrics(registry.render()).get(family)?.samples;
  return samples?.find(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
  )?.value;
}

describe("calls", () => {
  it("are counted with legs, tokens, cost, times and starts", () => {
    const registry = new Registry();
    const metrics = new CallMetrics(registry);
    const start = { mode: "cold", totalMs: 900, phases: [] } as const;
    metrics.record(
      record({
        durationMs: 1_500,
        firstOutputMs: 200,
        legs: [
          leg(
            { provider: "openai", cost: { ...leg().cost, nanoUsd: 500_000_000 } },
            { state: "failed", code: "upstream_cut" },
          ),
          leg({ id: "c1.1", index: 1, cost: { ...leg().cost, nanoUsd: 250_000_000 } }, { start }),
        ],
      }),
    );
    metrics.record(record({ status: "failed", code: "rate_limited", legs: [] }));
    const own = { surface: "openai", model: "acme/chat", provider: "byom" };
    expect(valueOf(registry, "byom_calls_total", { ...own, status: "succeeded", code: "" })).toBe(
      1,
    );
    expect(valueOf(registry, "byom_calls_total", { provider: "none", code: "rate_limited" })).toBe(
      1,
    );
    expect(valueOf(registry, "byom_call_duration_seconds_bucket", { ...own, le: "1" })).toBe(0);
    expect(valueOf(registry, "byom_call_duration_seconds_bucket", { ...own, le: "2.5" })).toBe(1);
    expect(valueOf(registry, "byom_call_duration_seconds_sum", own)).toBe(1.5);
    expect(valueOf(registry, "byom_call_first_output_seconds_sum", own)).toBe(0.2);
    expect(valueOf(registry, "byom_tokens_total", { type: "input" })).toBe(8);
    expect(valueOf(registry, "byom_legs_total", { provider: "openai", code: "upstream_cut" })).toBe(
      1,
    );
    expect(valueOf(registry, "byom_cost_usd_total", { provider: "openai" })).toBe(0.5);
    expect(valueOf(registry, "byom_starts_total", { mode: "cold" })).toBe(1);
  });
});

describe("the registry", () => {
  it("holds a bounded number of series, and says what came after", () => {
    const registry = new Registry();
    const counter = registry.counter("x_total", "X", ["model"]);
    for (let index = 0; index < seriesMax * 3; index += 1) counter.with(`m${index}`).add(1);
    const samples = parseMetrics(registry.render()).get("x_total")?.samples ?? [];
    expect(samples.length).toBe(seriesMax);
    expect(samples.reduce((sum, { value }) => sum + value, 0)).toBe(seriesMax * 3);
    expect(valueOf(registry, "byom_metrics_overflow_total", {})).toBe(seriesMax * 2 + 1);
  });

  it("writes whatever a name may hold so that it is read again", () => {
    const registry = new Registry();
    const name = 'a"b\\c\nd{e="f"}, ü';
    registry
      .counter("x_total", "With \\ and\nline", ["model"])
      .with(name)
      .add(0.1 + 0.2);
    expect(parseMetrics(registry.render()).get("x_total")?.samples).toEqual([
      { name: "x_total", labels: { model: name }, value: 0.1 + 0.2 },
    ]);
  });
});
