import type { PriceUnit, Task } from "../catalog/entry.ts";
import type { LegBegin, LegEnd } from "../route/leg.ts";
import { ownProvider } from "../route/candidate.ts";
import { reportedUsage } from "./usage.ts";

/** One thing that a leg used. */
export interface Quantity {
  readonly unit: PriceUnit;
  readonly quantity: number;
  /** Units whose price counts where this one has none, in this order. */
  readonly insteadOf: readonly PriceUnit[];
}

export interface Quantities {
  readonly items: readonly Quantity[];
  /** The tokens among them are a guess. */
  readonly isEstimated: boolean;
}

/**
 * Under which names adapters and models report what they used, by the unit of its price. The one table of it: an adapter
 * whose models are priced in a unit reports one of its names.
 */
export const metricNames: Readonly<Partial<Record<PriceUnit, readonly string[]>>> = {
  image: ["images"],
  megapixel: ["megapixels"],
  video: ["videos"],
  "audio-second": ["audio_seconds"],
  "video-second": ["video_seconds"],
  second: ["seconds"],
  character: ["characters"],
};

/** What an own model made, which it seldom says itself: pictures and videos are counted as they come. */
export function unitsMade(task: Task, output: unknown): Readonly<Record<string, number>> {
  const made = Array.isArray(output) ? output.length : typeof output === "string" ? 1 : 0;
  if (made === 0) return {};
  if (task.endsWith("-to-image")) return { images: made };
  return task.endsWith("-to-video") ? { videos: made } : {};
}

const metered = Object.entries(metricNames) as readonly (readonly [PriceUnit, readonly string[]])[];

/** Where a kind of second has no price of its own, that of `second` holds, and the other way round. */
const alike: Readonly<Partial<Record<PriceUnit, readonly PriceUnit[]>>> = {
  "audio-second": ["second"],
  "video-second": ["second"],
  second: ["audio-second", "video-second"],
};
const none: readonly PriceUnit[] = [];

/** Tokens whose price makes the others' price due too. */
export const tokenUnits: ReadonlySet<PriceUnit> = new Set<PriceUnit>([
  "input-token",
  "cached-input-token",
  "cache-write-token",
  "output-token",
  "reasoning-token",
]);

/** What a leg used, each thing once: cached input is no part of `input-token`, reasoning none of `output-token`. */
export function quantitiesOf(begin: LegBegin, end: LegEnd, hardware: string): Quantities {
  const items: Quantity[] = [];
  const add = (unit: PriceUnit, quantity: unknown, insteadOf = none): void => {
    if (typeof quantity !== "number" || !Number.isFinite(quantity) || quantity <= 0) return;
    items.push({ unit, quantity, insteadOf });
  };
  const isOwn = begin.provider === ownProvider;
  const isEstimated = addTokens(end, add);
  for (const [unit, names] of metered) {
    // The `second` of an own model is its instance's.
    if (isOwn && unit === "second") continue;
    const name = names.find((one) => end.metrics[one] !== undefined);
    if (name !== undefined) add(unit, end.metrics[name], isOwn ? none : alike[unit]);
  }
  if (hasAnswered(end)) add("request", 1);
  if (isOwn) addOwnTime(end, hardware, add);
  return { items, isEstimated };
}

type Add = (unit: PriceUnit, quantity: unknown, insteadOf?: readonly PriceUnit[]) => void;

/** Whether an answer came: a refused or broken request is none that an upstream charges for. */
export function hasAnswered({ state, firstOutputMs }: LegEnd): boolean {
  return state === "succeeded" || (state === "canceled" && firstOutputMs !== undefined);
}

/** @returns whether they are a guess */
function addTokens({ metrics, usage: known }: LegEnd, add: Add): boolean {
  const usage = known ?? reportedUsage(metrics);
  const input = usage?.inputTokens ?? countOf(metrics["input_tokens"]);
  const output = usage?.outputTokens ?? countOf(metrics["output_tokens"]);
  const cached = Math.min(input, usage?.cachedTokens ?? countOf(metrics["cached_tokens"]));
  const written = Math.min(input - cached, countOf(metrics["cache_write_tokens"]));
  const reasoning = Math.min(
    output,
    usage?.reasoningTokens ?? countOf(metrics["reasoning_tokens"]),
  );
  add("input-token", input - cached - written);
  add("cached-input-token", cached, ["input-token"]);
  add("cache-write-token", written, ["input-token"]);
  add("output-token", output - reasoning);
  add("reasoning-token", reasoning, ["output-token"]);
  return usage?.isEstimated ?? false;
}

function countOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : 0;
}

const msPerSecond = 1_000;

/**
 * Time of an instance: what the model itself measured, else the leg's time without the start. A GPU's is counted as
 * GPU-seconds; the start beside it.
 */
function addOwnTime({ metrics, durationMs, start }: LegEnd, hardware: string, add: Add): void {
  const { predict_time: measured } = metrics;
  const startMs = start?.mode === "running" ? 0 : (start?.totalMs ?? 0);
  if (start !== undefined) {
    const held = inSeconds(Math.max(0, durationMs - start.totalMs));
    const seconds = typeof measured === "number" ? measured : held;
    const isGpu = hardware.startsWith("gpu");
    if (isGpu) add("gpu-second", seconds, ["instance-second", "second"]);
    else add("instance-second", seconds, ["second"]);
  }
  add("cold-start-second", inSeconds(startMs));
}

/** To the microsecond: finer digits of a clock are noise. */
function inSeconds(ms: number): number {
  return Math.round(ms * 1_000) / (1_000 * msPerSecond);
}
