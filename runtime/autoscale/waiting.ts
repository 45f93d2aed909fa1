import { AcquireError } from "../errors.ts";
import type { Lease, WaitPhase } from "./lease.ts";

/** One caller without a slot yet. */
export interface Waiter {
  readonly version: number;
  /** On the clock that never jumps. */
  readonly enqueuedAtMs: number;
  readonly onPhase: ((phase: WaitPhase) => void) | undefined;
  settle(lease: Lease): void;
  fail(error: unknown): void;
}

/** The callers of one model in the order in which they came. */
export class WaitingList {
  readonly #waiters = new Set<Waiter>();
  readonly #lengthMax: number;
  /** Of the starts under way, by version. */
  readonly #phases = new Map<number, WaitPhase>();

  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  /**
   * Waits for a slot. Rejects with the signal's reason, with what `fail` is given, or at once with `capacity` when
   * too many wait already.
   */
  async join(input: {
    version: number;
    nowMs: number;
    signal: AbortSignal;
    modelId: string;
    onPhase?: (phase: WaitPhase) => void;
  }): Promise<Lease> {
    const { version, nowMs, signal, modelId, onPhase } = input;
    signal.throwIfAborted();
    if (this.#waiters.size >= this.#lengthMax) {
      throw new AcquireError("capacity", `${this.#lengthMax} callers wait for ${modelId} already`, {
        retryAfterMs: retryAfterFullMs,
        hint: "try again later, or raise scaling.max of the deployment",
      });
    }
    return await new Promise<Lease>((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.delete(waiter);
        signal.removeEventListener("abort", abort);
      };
      const abort = (): void => {
        leave();
        reject(signal.reason);
      };
      const waiter: Waiter = {
        version,
        enqueuedAtMs: nowMs,
        onPhase,
        settle(lease) {
          leave();
          resolve(lease);
        },
        fail(error) {
          leave();
          reject(error);
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiters.add(waiter);
      onPhase?.(this.#phases.get(version) ?? queued);
    });
  }

  /** Tells those who wait for a version how its start goes; undefined: it is over. */
  announce(version: number, phase: WaitPhase | undefined): void {
    if (phase === undefined) this.#phases.delete(version);
    else this.#phases.set(version, phase);
    for (const waiter of this.list(version)) waiter.onPhase?.(phase ?? queued);
  }

  /** Turns away those who have waited too long, but for versions of which an instance is just starting. */
  expire(input: {
    modelId: string;
    nowMs: number;
    timeoutMs: number;
    isExempt: (version: number) => boolean;
  }): void {
    const { modelId, nowMs, timeoutMs, isExempt } = input;
    for (const waiter of this.list()) {
      if (nowMs - waiter.enqueuedAtMs < timeoutMs || isExempt(waiter.version)) continue;
      waiter.fail(
        new AcquireError("capacity", `every instance of ${modelId} stayed busy`, {
          retryAfterMs: timeoutMs,
          hint: "raise scaling.max or scaling.concurrency of the deployment",
        }),
      );
    }
  }

  first(version: number): Waiter | undefined {
    for (const waiter of this.#waiters) if (waiter.version === version) return waiter;
    return undefined;
  }

  /** Of one version, or all; a copy, so that settling does not disturb the walk. */
  list(version?: number): readonly Waiter[] {
    return [...this.#waiters].filter(
      (waiter) => version === undefined || waiter.version === version,
    );
  }

  versions(): ReadonlySet<number> {
    return new Set([...this.#waiters].map((waiter) => waiter.version));
  }

  get length(): number {
    return this.#waiters.size;
  }
}

const queued: WaitPhase = { state: "queued" };

/** A full queue does not empty in less. */
const retryAfterFullMs = 5000;
