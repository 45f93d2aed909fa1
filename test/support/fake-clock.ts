import type { Clock } from "../../registry-client/transport/retry.ts";

/** A clock whose sleeps take no time, are written down, and move `now` on. */
export class FakeClock implements Clock {
  readonly sleepsMs: number[] = [];
  nowMs: number = Date.UTC(2026, 0, 1);
  readonly #random: number;

  constructor(options: { readonly random?: number } = {}) {
    this.#random = options.random ?? 1;
  }

  now(): number {
    return this.nowMs;
  }

  random(): number {
    return this.#random;
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.sleepsMs.push(milliseconds);
    this.nowMs += milliseconds;
    await Promise.resolve();
  }
}
