import { setTimeout as delay } from "node:timers/promises";

/** Between two looks: short beside what is waited for, long beside what a look costs. */
const pollIntervalMs = 100;

/** Looks until `look` returns a value; undefined when it has not within `timeoutMs`. Rejects only when the signal aborts or `look` rejects. */
export async function waitFor<T>(
  look: () => Promise<T | undefined>,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<T | undefined> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() > deadline) return undefined;
    await delay(pollIntervalMs, undefined, { signal: options.signal });
  }
}
