import { GatewayError } from "../errors.ts";
import type { Deadlines } from "../limits.ts";

/**
 * The time that an answer may take, and the time that it may say nothing although its connection lives: comments, and
 * bytes that never become an event, are no answer. One timer for both, so that a call that goes well costs no more.
 */
export class AnswerClock {
  readonly #deadlines: Pick<Deadlines, "totalMs" | "silenceMs">;
  readonly #onLate: (failure: GatewayError) => void;
  readonly #startedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  /** When it last said something; undefined before it began to answer. */
  #spokeAt: number | undefined;

  constructor(
    deadlines: Pick<Deadlines, "totalMs" | "silenceMs">,
    onLate: (failure: GatewayError) => void,
  ) {
    this.#deadlines = deadlines;
    this.#onLate = onLate;
    this.#arm(this.#startedAt);
  }

  /** The head of the answer, or an event of it, has come. */
  spoke(): void {
    this.#spokeAt = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(now: number): void {
    const { totalMs, silenceMs } = this.#deadlines;
    const leftMs = this.#startedAt + totalMs - now;
    const quietMs = (this.#spokeAt ?? now) + silenceMs - now;
    this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.min(leftMs, quietMs)));
  }

  #look(): void {
    const now = performance.now();
    const { totalMs, silenceMs } = this.#deadlines;
    // Timers may come a fraction of a millisecond early.
    if (now + 1 >= this.#startedAt + totalMs) {
      this.#onLate(late(`The answer took longer than ${totalMs} ms.`));
    } else if (this.#spokeAt !== undefined && now + 1 >= this.#spokeAt + silenceMs) {
      this.#onLate(late(`The answer said nothing for ${silenceMs} ms, though bytes came.`));
    } else {
      this.#arm(now);
    }
  }
}

function late(message: string): GatewayError {
  return new GatewayError("upstream_timeout", message);
}
