import type { CallRecord } from "../call-record.ts";
import { seriesMax } from "../limits.ts";
import { answeringLeg, sumOfTokens } from "../logs/entry.ts";
import { names, operationOf } from "./names.ts";
import { attributesOf, unixNano, type AttributeValue, type KeyValue } from "./wire.ts";

/** As the conventions advise. */
const durationBounds = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
] as const;
const tokenBounds = [
  1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
  67_108_864,
] as const;

const cumulative = 2;

interface Point {
  readonly attributes: readonly KeyValue[];
  readonly counts: number[];
  count: number;
  sum: number;
}

interface Histogram {
  readonly name: string;
  readonly unit: string;
  readonly bounds: readonly number[];
  readonly points: Map<string, Point>;
}

/** The client metrics of the conventions for generative AI, since the start of the process. */
export class GenAiMetrics {
  readonly #startNano: string;
  readonly #tokens = histogram(names.tokenUsage, "{token}", tokenBounds);
  readonly #duration = histogram(names.operationDuration, "s", durationBounds);
  readonly #firstChunk = histogram(names.firstChunk, "s", durationBounds);

  constructor(startMs: number) {
    this.#startNano = unixNano(startMs);
  }

  record(call: CallRecord): void {
    const shared = {
      [names.operationName]: operationOf(call.task),
      [names.providerName]: answeringLeg(call.legs)?.provider ?? "byom",
      [names.requestModel]: call.model,
      [names.responseModel]: call.model,
    };
    const { tokensIn, tokensOut } = sumOfTokens(call.legs);
    for (const [type, tokens] of [
      ["input", tokensIn],
      ["output", tokensOut],
    ] as const) {
      if (tokens === undefined) continue;
      observe(this.#tokens, tokens, { ...shared, [names.tokenType]: type });
    }
    const errorType = call.status === "succeeded" ? undefined : (call.code ?? call.status);
    observe(this.#duration, call.durationMs / 1_000, { ...shared, [names.errorType]: errorType });
    if (call.isStreamed && call.firstOutputMs !== undefined) {
      observe(this.#firstChunk, call.firstOutputMs / 1_000, shared);
    }
  }

  /** `metrics` of a `ScopeMetrics`. */
  render(nowMs: number): readonly unknown[] {
    const timeUnixNano = unixNano(nowMs);
    return [this.#tokens, this.#duration, this.#firstChunk]
      .filter(({ points }) => points.size > 0)
      .map(({ name, unit, bounds, points }) => ({
        name,
        unit,
        histogram: {
          aggregationTemporality: cumulative,
          dataPoints: [...points.values()].map(({ attributes, counts, count, sum }) => ({
            attributes,
            startTimeUnixNano: this.#startNano,
            timeUnixNano,
            count: String(count),
            sum,
            bucketCounts: counts.map(String),
            explicitBounds: bounds,
          })),
        },
      }));
  }
}

function histogram(name: string, unit: string, bounds: readonly number[]): Histogram {
  return { name, unit, bounds, points: new Map() };
}

function observe(
  { bounds, points }: Histogram,
  value: number,
  attributes: Readonly<Record<string, AttributeValue>>,
): void {
  const key = JSON.stringify(Object.values(attributes));
  const point = points.get(key) ?? newPoint({ bounds, points, key, attributes });
  const at = bounds.findIndex((bound) => value <= bound);
  const index = at === -1 ? bounds.length : at;
  point.counts[index] = (point.counts[index] ?? 0) + 1;
  point.count += 1;
  point.sum += value;
}

/** What comes after the last series that fits is counted in one of them all. */
function newPoint(options: {
  readonly bounds: readonly number[];
  readonly points: Map<string, Point>;
  readonly key: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}): Point {
  const { bounds, points, attributes } = options;
  const isFull = points.size >= seriesMax - 1;
  const key = isFull ? "overflow" : options.key;
  const known = points.get(key);
  if (known !== undefined) return known;
  const point: Point = {
    attributes: attributesOf(isFull ? { "otel.metric.overflow": true } : attributes),
    counts: [...bounds, 0].map(() => 0),
    count: 0,
    sum: 0,
  };
  points.set(key, point);
  return point;
}
