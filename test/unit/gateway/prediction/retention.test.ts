import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { predictionRetentionMs, predictionsMax, pruneBatch } from "../../../../gateway/limits.ts";
import type { FileStore } from "../../../../gateway/prediction/files.ts";
import { keepBounds } from "../../../../gateway/prediction/retention.ts";
import { MemoryPredictions } from "../harness.ts";

// Records and files of finished predictions pile up. When this fails, the disk of a busy platform is full one day, or
// one big removal stops every call for seconds.

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse("2026-11-23T12:00:00Z") });
});
afterEach(() => {
  vi.useRealTimers();
});

it("removes what is too old or too much in small batches, goes on after a failure, and stops when closed", async () => {
  let due = 3 * pruneBatch + 1;
  const asked: unknown[] = [];
  const failures: unknown[] = [];
  const predictions = Object.assign(new MemoryPredictions(), {
    prune: (options: { limit: number }) => {
      asked.push(options);
      if (asked.length === 2) throw new Error("database is locked");
      const removed = Math.min(due, options.limit);
      due -= removed;
      return removed;
    },
  });
  let pruned = 0;
  const files = { prune: async () => void (pruned += 1) } as unknown as FileStore;
  const bounds = keepBounds({
    predictions,
    files,
    clock: Date.now,
    onEvent: (event) => failures.push(event.type),
  });
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  expect(due).toBe(0);
  expect(asked[0]).toEqual({
    completedBefore: new Date(
      Date.parse("2026-11-23T12:01:00Z") - predictionRetentionMs,
    ).toISOString(),
    keepMax: predictionsMax,
    limit: pruneBatch,
  });
  expect(failures).toEqual(["store-fail"]);
  expect(pruned).toBe(asked.length - 1);
  bounds.close();
  const before = asked.length;
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  expect(asked).toHaveLength(before);
});
