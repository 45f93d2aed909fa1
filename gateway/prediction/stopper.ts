import { GatewayError } from "../errors.ts";

/** Ends a call that goes from upstream to upstream, wherever it is: under way, or between two tries. */
export class Stopper {
  #stopExchange: ((reason: unknown) => void) | undefined;
  #wake: (() => void) | undefined;
  #reason: unknown;

  /** @param onStoppable called once with what ends the call when its caller leaves */
  constructor(onStoppable: (stop: () => void) => void) {
    onStoppable(() => this.stop(callerGone));
  }

  /** Why the call ends, once somebody ended it. */
  get reason(): unknown {
    return this.#reason;
  }

  readonly stop = (reason: unknown): void => {
    this.#reason ??= reason;
    this.#stopExchange?.(reason);
    this.#wake?.();
  };

  /** What ends the exchange that begins now. */
  set(stop: (reason: unknown) => void): void {
    this.#stopExchange = stop;
    if (this.#reason !== undefined) stop(this.#reason);
  }

  /** Ends the exchange, but not the call, when it takes longer; the caller clears the timer. */
  limit(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#stopExchange?.(new GatewayError("upstream_timeout", `Nothing came within ${ms} ms.`));
    }, ms);
  }

  /** A pause. @throws the reason of the stop */
  async sleep(ms: number): Promise<void> {
    if (this.#reason === undefined) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    if (this.#reason !== undefined) throw this.#reason;
  }
}

const callerGone = new GatewayError("canceled", "The caller left.");
