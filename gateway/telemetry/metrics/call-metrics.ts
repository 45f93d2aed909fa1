import type { CallRecord } from "../call-record.ts";
import { answeringLeg, sumOfTokens } from "../logs/entry.ts";
import type { Cell, Metric, Registry, Spread } from "./registry.ts";

/** Seconds: from a cached answer to a video. */
const durationBounds = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
] as const;

const nanoUsdPerUsd = 1e9;

/** Counts calls and their legs; a few microseconds for each. */
export class CallMetrics {
  readonly #calls: Metric<Cell>;
  readonly #duration: Metric<Spread>;
  readonly #firstOutput: Metric<Spread>;
  readonly #tokens: Metric<Cell>;
  readonly #cost: Metric<Cell>;
  readonly #legs: Metric<Cell>;
  readonly #legDuration: Metric<Spread>;
  readonly #starts: Metric<Cell>;

  constructor(registry: Registry) {
    const call = ["surface", "model", "provider"];
    this.#calls = registry.counter("byom_calls_total", "Calls that have ended", [
      ...call,
      "status",
      "code",
      "cached",
      "streamed",
    ]);
    this.#duration = registry.histogram(
      "byom_call_duration_seconds",
      "From acceptance to the end",
      {
        labelNames: call,
        bounds: durationBounds,
      },
    );
    this.#firstOutput = registry.histogram(
      "byom_call_first_output_seconds",
      "From acceptance to the first output",
      { labelNames: call, bounds: durationBounds },
    );
    this.#tokens = registry.counter("byom_tokens_total", "Tokens of all legs", [
      "model",
      "provider",
      "type",
    ]);
    this.#cost = registry.counter(
      "byom_cost_usd_total",
      "US dollars; the ledger has them exactly",
      ["model", "provider"],
    );
    this.#legs = registry.counter("byom_legs_total", "Tries at upstreams that have ended", [
      "model",
      "provider",
      "state",
      "code",
    ]);
    this.#legDuration = registry.histogram("byom_leg_duration_seconds", "Of one try", {
      labelNames: ["model", "provider"],
      bounds: durationBounds,
    });
    this.#starts = registry.counter(
      "byom_starts_total",
      "How own instances that served had started",
      ["model", "mode"],
    );
  }

  record(call: CallRecord): void {
    const { legs, model } = call;
    const surface = call.origin?.surface ?? "recovered";
    const provider = answeringLeg(legs)?.provider ?? "none";
    const labels = [surface, model, provider] as const;
    this.#calls
      .with(...labels, call.status, call.code ?? "", String(call.isCached), String(call.isStreamed))
      .add(1);
    this.#duration.with(...labels).observe(call.durationMs / 1_000);
    if (call.firstOutputMs !== undefined) {
      this.#firstOutput.with(...labels).observe(call.firstOutputMs / 1_000);
    }
    const { tokensIn, tokensOut } = sumOfTokens(legs);
    if (tokensIn !== undefined) this.#tokens.with(model, provider, "input").add(tokensIn);
    if (tokensOut !== undefined) this.#tokens.with(model, provider, "output").add(tokensOut);
    for (const { end, model: legModel, provider: legProvider, cost } of legs) {
      this.#legs.with(legModel, legProvider, end.state, end.code ?? "").add(1);
      this.#legDuration.with(legModel, legProvider).observe(end.durationMs / 1_000);
      if (cost.nanoUsd !== 0) {
        this.#cost.with(legModel, legProvider).add(cost.nanoUsd / nanoUsdPerUsd);
      }
      if (end.start !== undefined) this.#starts.with(legModel, end.start.mode).add(1);
    }
  }
}
