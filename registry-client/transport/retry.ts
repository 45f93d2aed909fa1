import { setTimeout as delay } from "node:timers/promises";
import { RegistryConnectionError, RegistryResponseError } from "../errors.ts";

/** How often and how long to try again. Times in milliseconds. */
export interface RetryPolicy {
  /** Tries in all for one request, or tries in a row without progress for one blob. */
  readonly tries: number;
  /** Upper bound of the first delay; it doubles from try to try, and the delay is drawn below it (full jitter). */
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** The longest wait that a registry may ask for; beyond it the request fails and says so. */
  readonly retryAfterMaxMs: number;
  /** Waits that one request spends on answers with Retry-After before it fails. */
  readonly throttledTries: number;
}

export const defaultRetryPolicy: RetryPolicy = {
  tries: 5,
  baseDelayMs: 500,
  maxDelayMs: 30_000,
  retryAfterMaxMs: 120_000,
  throttledTries: 20,
};

/** Time and chance, injected so that tests neither wait nor guess. */
export interface Clock {
  now(): number;
  /** A number in [0, 1). */
  random(): number;
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  async sleep(milliseconds, signal) {
    try {
      await delay(milliseconds, undefined, signal ? { signal } : {});
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
};

/** Client errors of front proxies (499 nginx, 522 Cloudflare) are as passing as 5xx. */
export function isRetryableStatus(status: number): boolean {
  return (
    status === 408 ||
    status === 429 ||
    status === 499 ||
    (status >= 500 && status !== 501 && status !== 505)
  );
}

/** Whether the same request may succeed when it is sent again. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof RegistryConnectionError) return true;
  return error instanceof RegistryResponseError && isRetryableStatus(error.status);
}

/** The delay before try number `failures + 1`: full jitter below a doubling bound. */
export function backoffMs(failures: number, policy: RetryPolicy, clock: Clock): number {
  const bound = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** Math.max(0, failures - 1));
  return Math.round(clock.random() * bound);
}

/** Reads Retry-After in seconds or as an HTTP date (RFC 9110 §10.2.3); undefined when it is neither. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER);
  if (!/^[A-Za-z]{3}/.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** Until when each host asked to be left alone: one worker's 429 makes all of them wait. */
export class HostPauses {
  readonly #until = new Map<string, number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  extend(host: string, milliseconds: number): void {
    const until = this.#clock.now() + milliseconds;
    this.#until.set(host, Math.max(until, this.#until.get(host) ?? 0));
  }

  async wait(host: string, signal?: AbortSignal): Promise<void> {
    for (;;) {
      const remaining = (this.#until.get(host) ?? 0) - this.#clock.now();
      if (remaining <= 0) return;
      await this.#clock.sleep(remaining, signal);
    }
  }
}
