import type { ServerResponse } from "node:http";

import { GatewayError } from "../errors.ts";
import type { Deadlines } from "../limits.ts";
import type { StreamEvent } from "./event.ts";
import type { EventLog } from "./event-log.ts";
import type { FrameRenderer } from "./follow.ts";

export interface PumpOptions {
  readonly log: EventLog;
  readonly response: ServerResponse;
  readonly renderer: FrameRenderer;
  /** Leaves out what the caller has read before. */
  readonly skip?: (bytes: Buffer) => Buffer;
  /** Index of the first event to send. */
  readonly from: number;
  /** Nothing has been answered yet: the caller is told why at once. */
  readonly isSilent: boolean;
  /** What to tell on a silent line, such as `starting`. */
  readonly comment: () => string;
  /** Calls when there is something new to tell, until what it returns is called. */
  readonly watch?: (tell: () => void) => () => void;
  /** Clients that count events to come back count empty lines: a comment of a resumable stream has none. */
  readonly isResumable?: boolean;
  readonly deadlines: Pick<Deadlines, "keepAliveMs" | "stalledReaderMs">;
  readonly signal: AbortSignal;
}

/**
 * Writes a log's events to a response until its last one: within the writer's turn while the caller keeps up, after
 * each `drain` when it does not. Resolves when the response has ended or the caller is gone.
 * @throws `GatewayError` `canceled` when the caller takes nothing for `stalledReaderMs`
 */
export function pump(options: PumpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    new Pump(options, resolve, reject).start();
  });
}

class Pump {
  readonly #options: PumpOptions;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  readonly #keepAlive: NodeJS.Timeout;
  readonly #unsubscribe: () => void;
  readonly #unwatch: (() => void) | undefined;
  readonly #onGone = (): void => this.#settle();
  #next: number;
  #isComplete: boolean;
  #isScheduled = false;
  /** Waiting for the caller to take what was written, or for the file. */
  #isBlocked = false;
  #isSettled = false;
  #hasWritten = false;
  #stalled: NodeJS.Timeout | undefined;

  constructor(options: PumpOptions, resolve: () => void, reject: (error: unknown) => void) {
    const { log, from } = options;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#next = from;
    this.#isComplete = log.isEnded && from >= log.length;
    this.#keepAlive = setInterval(() => this.#comment(), options.deadlines.keepAliveMs);
    this.#unsubscribe = log.subscribe(() => this.#schedule());
    this.#unwatch = options.watch?.(() => this.#comment());
  }

  start(): void {
    const { signal, response, isSilent } = this.#options;
    if (signal.aborted || response.destroyed) {
      this.#settle();
      return;
    }
    signal.addEventListener("abort", this.#onGone, { once: true });
    response.once("close", this.#onGone);
    if (isSilent) this.#comment();
    this.#flush();
    // With the first events the head goes out for nothing; alone it must not wait for them.
    if (!this.#hasWritten && !this.#isSettled) response.flushHeaders();
  }

  /** Once for all events that one read of the network brought. */
  #schedule(): void {
    if (this.#isScheduled || this.#isBlocked) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { log } = this.#options;
    while (!this.#isSettled && !this.#isBlocked && this.#next < log.readable) {
      const batch = log.peek(this.#next);
      if (batch === undefined) {
        this.#readFile();
        return;
      }
      this.#write(batch);
    }
    if (!this.#isBlocked && log.isEnded && this.#next >= log.length) this.#end();
  }

  #readFile(): void {
    this.#isBlocked = true;
    this.#options.log.readSpilled(this.#next).then(
      (batch) => {
        this.#isBlocked = false;
        if (this.#isSettled) return;
        this.#write(batch);
        this.#flush();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #write(batch: readonly StreamEvent[]): void {
    const { response, renderer, skip } = this.#options;
    this.#next += batch.length;
    this.#keepAlive.refresh();
    this.#isComplete = batch.some(({ kind }) => kind === "completed" || kind === "error");
    let bytes: Buffer;
    try {
      const frames = renderBatch(renderer, batch);
      bytes = skip === undefined ? frames : skip(frames);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (bytes.length === 0) return;
    this.#hasWritten = true;
    if (response.write(bytes)) return;
    this.#isBlocked = true;
    const { stalledReaderMs } = this.#options.deadlines;
    this.#stalled = setTimeout(() => {
      this.#fail(
        new GatewayError("canceled", `The reader took nothing for ${stalledReaderMs} ms.`),
      );
    }, stalledReaderMs);
    response.once("drain", () => {
      clearTimeout(this.#stalled);
      this.#isBlocked = false;
      this.#flush();
    });
  }

  /** Not behind what the caller has yet to take. */
  #comment(): void {
    const { response, comment, isResumable = false } = this.#options;
    if (response.writableNeedDrain) return;
    this.#hasWritten = true;
    response.write(isResumable ? `: ${comment()}\n` : `: ${comment()}\n\n`);
  }

  /** A stream without its last word must not look like a complete one. */
  #end(): void {
    if (this.#isSettled) return;
    const { response } = this.#options;
    if (this.#isComplete) response.end();
    else response.destroy();
    this.#settle();
  }

  #fail(error: unknown): void {
    if (this.#isSettled) return;
    this.#options.response.destroy();
    this.#settle(error);
  }

  #settle(error?: unknown): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearInterval(this.#keepAlive);
    clearTimeout(this.#stalled);
    this.#unsubscribe();
    this.#unwatch?.();
    this.#options.signal.removeEventListener("abort", this.#onGone);
    this.#options.response.off("close", this.#onGone);
    if (error === undefined) this.#resolve();
    else this.#reject(error);
  }
}

function renderBatch(renderer: FrameRenderer, batch: readonly StreamEvent[]): Buffer {
  const frames: Buffer[] = [];
  for (const event of batch) {
    const frame = renderer.render(event);
    if (frame !== undefined) frames.push(typeof frame === "string" ? Buffer.from(frame) : frame);
  }
  return frames.length === 1 ? (frames[0] ?? Buffer.alloc(0)) : Buffer.concat(frames);
}
