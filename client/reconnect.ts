import { StreamExpiredError } from "./errors.ts";

/** Pause before the first reconnect; it doubles each time. */
const delayMs = 100;
const delayMaxMs = 2_000;
/** How long a gateway may be out of reach in the middle of a stream: a restart takes seconds. */
const unreachableDefaultMs = 60_000;

export interface ReconnectLimits {
  /** Cuts in a row, without an event between them, that are healed. */
  readonly cutsMax: number;
  /** Milliseconds that the gateway may be out of reach at a stretch. */
  readonly unreachableMs?: number;
  readonly signal: AbortSignal | undefined;
}

/** How often, and for how long, one stream is taken up again. */
export class Reconnects {
  readonly #limits: ReconnectLimits;
  #cuts = 0;
  #tries = 0;
  #unreachableSince: number | undefined;

  constructor(limits: ReconnectLimits) {
    this.#limits = limits;
  }

  /** An event came: what was before is forgotten. */
  progress(): void {
    this.#cuts = 0;
    this.#tries = 0;
    this.#unreachableSince = undefined;
  }

  /** The connection broke. Waits until the next one may be tried. @throws `StreamExpiredError`, the signal's reason */
  async afterCut(eventsRead: number, cause: unknown): Promise<void> {
    this.#cuts += 1;
    this.#unreachableSince = undefined;
    if (this.#cuts > this.#limits.cutsMax) {
      const text = `The stream was cut ${this.#cuts} times.`;
      throw new StreamExpiredError(text, { eventsRead, cause });
    }
    await this.#pause();
  }

  /** The gateway could not be reached, or cannot answer now. @throws `StreamExpiredError`, the signal's reason */
  async afterRefusal(eventsRead: number, cause: unknown): Promise<void> {
    this.#unreachableSince ??= performance.now();
    const sinceMs = performance.now() - this.#unreachableSince;
    if (sinceMs > (this.#limits.unreachableMs ?? unreachableDefaultMs)) {
      const text = `The stream was cut, and the gateway cannot be reached for ${Math.round(sinceMs)} ms.`;
      throw new StreamExpiredError(text, { eventsRead, cause });
    }
    await this.#pause();
  }

  #pause(): Promise<void> {
    const ms = Math.min(delayMs * 2 ** this.#tries, delayMaxMs);
    this.#tries += 1;
    return pause(ms, this.#limits.signal);
  }
}

/** Whether the same request may be answered soon: the gateway, or a proxy before it, says that it cannot now. */
export function isUnavailable(status: number): boolean {
  return status === 429 || status >= 500;
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}
