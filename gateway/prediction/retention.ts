import type { OnGatewayEvent } from "../events.ts";
import { predictionRetentionMs, predictionsMax, pruneBatch, pruneIntervalMs } from "../limits.ts";
import type { FileStore } from "./files.ts";
import type { PredictionStore } from "./store.ts";

/** Between two batches while there is more to remove: calls go first. */
const batchPauseMs = 100;

/** Removes what is too old or too much, a little at a time, until it is closed. */
export function keepBounds(options: {
  readonly predictions: PredictionStore;
  readonly files: FileStore;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly onEvent: OnGatewayEvent;
}): { close(): void } {
  const { predictions, files, clock, onEvent } = options;
  let isClosed = false;
  let timer: NodeJS.Timeout;
  const prune = async (): Promise<void> => {
    let delayMs: number = pruneIntervalMs;
    try {
      const removed = predictions.prune({
        completedBefore: new Date(clock() - predictionRetentionMs).toISOString(),
        keepMax: predictionsMax,
        limit: pruneBatch,
      });
      if (removed === pruneBatch) delayMs = batchPauseMs;
      await files.prune();
    } catch (cause) {
      onEvent({ type: "store-fail", predictionId: "", cause });
    }
    if (!isClosed) timer = setTimeout(() => void prune(), delayMs).unref();
  };
  timer = setTimeout(() => void prune(), pruneIntervalMs).unref();
  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
