import { setTimeout as delay } from "node:timers/promises";

/** Time as the runtime sees it; tests inject their own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds on a clock that never jumps, for durations. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it fires first. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  async delay(ms, signal) {
    try {
      await delay(ms, undefined, { ref: false, ...(signal === undefined ? {} : { signal }) });
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      throw error;
    }
  },
};

/** An ISO 8601 instant of the clock. */
export function timestamp(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}
