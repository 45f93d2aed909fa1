import type { Budget } from "./budget.ts";

const secondMs = 1_000;
const hourMs = 3_600 * secondMs;
const dayMs = 24 * hourMs;
/** The first of January 1970 was a Thursday; weeks begin on Monday (ISO 8601). */
const mondayOffsetMs = 4 * dayMs;
/** A sliding window forgets in steps of this part of it. */
const bucketsPerWindow = 60;

const lengths = { hour: hourMs, day: dayMs, week: 7 * dayMs, month: 30 * dayMs } as const;

/** The time in which a budget counts, milliseconds since the epoch. */
export interface Span {
  readonly startMs: number;
  /** Not included. */
  readonly endMs: number;
}

/** How long a window is; a sliding month has 30 days. */
export function windowMs({ window }: Pick<Budget, "window">): number {
  return typeof window === "number" ? window * secondMs : lengths[window];
}

/** The span at a time: of a fixed window the one that it lies in, of a sliding one what lies before it. */
export function spanAt(budget: Pick<Budget, "window" | "technique">, atMs: number): Span {
  const length = windowMs(budget);
  if (budget.technique === "sliding") return { startMs: atMs - length, endMs: atMs };
  if (budget.window === "month") {
    const date = new Date(atMs);
    const month = (plus: number): number =>
      Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + plus, 1);
    return { startMs: month(0), endMs: month(1) };
  }
  const offset = budget.window === "week" ? mondayOffsetMs : 0;
  const startMs = Math.floor((atMs - offset) / length) * length + offset;
  return { startMs, endMs: startMs + length };
}

/** How wide the buckets of a sliding window are; undefined: a fixed one has none. */
export function bucketMsOf(budget: Pick<Budget, "window" | "technique">): number | undefined {
  if (budget.technique === "fixed") return undefined;
  return Math.max(secondMs, Math.ceil(windowMs(budget) / bucketsPerWindow));
}

/** The bucket that a time lies in, by its beginning. */
export function bucketOf(budget: Pick<Budget, "window" | "technique">, atMs: number): number {
  const width = bucketMsOf(budget);
  return width === undefined ? spanAt(budget, atMs).startMs : Math.floor(atMs / width) * width;
}
