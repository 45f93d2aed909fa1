import { logBytesMax, logMemoryBytesMax, segmentReadBytes } from "../limits.ts";
import type { EventKind, StreamEvent } from "./event.ts";
import { createSegment, type Segment } from "./segment.ts";

export interface EventLogOptions {
  /** File for what does not fit in memory; made only when needed. */
  readonly segmentPath: string;
  readonly memoryBytesMax?: number;
  readonly bytesMax?: number;
  /** The disk refused; the events stay in memory. */
  readonly onSpillFail?: (cause: unknown) => void;
}

/** Overhead per event that the memory bound counts beside its bytes (object, array slot). */
const eventOverheadBytes = 96;

/** How many times its memory bound a log may hold when the disk refuses. */
const spillFailedFactor = 16;

interface SpilledEvent {
  readonly kind: EventKind;
  readonly offset: number;
  readonly lengthBytes: number;
}

/**
 * The append-only log of one prediction. The writer never waits: the newest events are in memory, older ones in a
 * segment file, and any number of readers follow at their own pace from any position.
 */
export class EventLog {
  readonly #segment: Segment;
  readonly #memoryBytesMax: number;
  #bytesMax: number;
  readonly #onSpillFail: ((cause: unknown) => void) | undefined;
  readonly #spilled: SpilledEvent[] = [];
  #memory: StreamEvent[] = [];
  #memoryBytes = 0;
  #totalBytes = 0;
  #isEnded = false;
  #isRemoved = false;
  #spilling: Promise<void> | undefined;
  readonly #waiters = new Set<() => void>();
  readonly #listeners = new Set<() => void>();

  constructor(options: EventLogOptions) {
    this.#segment = createSegment(options.segmentPath);
    this.#memoryBytesMax = options.memoryBytesMax ?? logMemoryBytesMax;
    this.#bytesMax = options.bytesMax ?? logBytesMax;
    this.#onSpillFail = options.onSpillFail;
  }

  /** How many events have been appended. */
  get length(): number {
    return this.#spilled.length + this.#memory.length;
  }

  /** Index of the oldest event in memory: `peek` has everything from there on. */
  get firstInMemory(): number {
    return this.#spilled.length;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** The newest event; it never leaves memory while the log is kept. */
  get last(): StreamEvent | undefined {
    return this.#memory.at(-1);
  }

  /** Adds an event. Returns false when the log is full: the caller ends the prediction with an error. */
  append(kind: EventKind, data: Buffer): boolean {
    if (this.#isEnded) return false;
    const sizeBytes = data.length + eventOverheadBytes;
    // The last word always fits, so that a full log still ends with a reason.
    if (this.#totalBytes + sizeBytes > this.#bytesMax && kind !== "error") return false;
    this.#memory.push({ index: this.length, kind, data });
    this.#memoryBytes += sizeBytes;
    this.#totalBytes += sizeBytes;
    if (this.#memoryBytes > this.#memoryBytesMax) this.#spilling ??= this.#spill();
    this.#wake();
    return true;
  }

  /** No event will follow; readers finish. */
  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Calls once when something is appended or the log ends; returns what takes the call back. */
  onceChanged(callback: () => void): () => void {
    this.#waiters.add(callback);
    return () => this.#waiters.delete(callback);
  }

  /**
   * Calls at every append and at the end, until what it returns is called. The listener must not throw: it runs
   * inside the writer's turn.
   */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Events from `from` on as far as they are in memory; undefined when the first of them is in the file. */
  peek(from: number): readonly StreamEvent[] | undefined {
    return from < this.#spilled.length ? undefined : this.#readMemory(from);
  }

  /** One bounded piece of what is in the file, from `from` on. */
  readSpilled(from: number): Promise<readonly StreamEvent[]> {
    return this.#readSpilled(from);
  }

  /**
   * Events from `from` on, in batches: all that are in memory, or one bounded piece of the file. Ends after the
   * log's last event; stops without error when the signal aborts.
   */
  async *read(options: {
    readonly from: number;
    readonly signal: AbortSignal;
  }): AsyncGenerator<readonly StreamEvent[], void, void> {
    let next = options.from;
    while (!options.signal.aborted && !this.#isRemoved) {
      if (next < this.length) {
        const batch =
          next < this.#spilled.length ? await this.#readSpilled(next) : this.#readMemory(next);
        next += batch.length;
        yield batch;
      } else if (this.#isEnded) {
        return;
      } else {
        await this.#changed(options.signal);
      }
    }
  }

  /** Forgets everything, file included. */
  async remove(): Promise<void> {
    this.#isEnded = true;
    this.#isRemoved = true;
    this.#wake();
    await this.#spilling;
    this.#memory = [];
    this.#memoryBytes = 0;
    await this.#segment.remove();
  }

  #readMemory(from: number): readonly StreamEvent[] {
    return this.#memory.slice(from - this.#spilled.length);
  }

  async #readSpilled(from: number): Promise<readonly StreamEvent[]> {
    const wanted: SpilledEvent[] = [];
    let lengthBytes = 0;
    for (let index = from; index < this.#spilled.length; index += 1) {
      const event = this.#spilled[index];
      if (event === undefined) break;
      if (wanted.length > 0 && lengthBytes + event.lengthBytes > segmentReadBytes) break;
      wanted.push(event);
      lengthBytes += event.lengthBytes;
    }
    const offset = wanted[0]?.offset ?? 0;
    const bytes = await this.#segment.read({ offset, lengthBytes });
    return wanted.map((event, position) => ({
      index: from + position,
      kind: event.kind,
      data: bytes.subarray(event.offset - offset, event.offset - offset + event.lengthBytes),
    }));
  }

  /** Moves the older events to the file until half of the memory is free; they leave memory once they are written. */
  async #spill(): Promise<void> {
    try {
      while (this.#memoryBytes > this.#memoryBytesMax / 2 && this.#memory.length > 1) {
        const batch = this.#oldest();
        let offset = await this.#segment.append(Buffer.concat(batch.map((event) => event.data)));
        for (const event of batch) {
          this.#spilled.push({ kind: event.kind, offset, lengthBytes: event.data.length });
          offset += event.data.length;
          this.#memoryBytes -= event.data.length + eventOverheadBytes;
        }
        this.#memory.splice(0, batch.length);
      }
    } catch (cause) {
      // Without a file the log may still grow a little in memory, then the prediction ends with a reason.
      this.#bytesMax = Math.min(this.#bytesMax, spillFailedFactor * this.#memoryBytesMax);
      this.#onSpillFail?.(cause);
    } finally {
      this.#spilling = undefined;
    }
  }

  #oldest(): readonly StreamEvent[] {
    let sizeBytes = 0;
    let count = 0;
    for (const event of this.#memory.slice(0, -1)) {
      if (this.#memoryBytes - sizeBytes <= this.#memoryBytesMax / 2) break;
      sizeBytes += event.data.length + eventOverheadBytes;
      count += 1;
    }
    return this.#memory.slice(0, Math.max(1, count));
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        take();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const take = this.onceChanged(done);
      signal.addEventListener("abort", done, { once: true });
    });
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
    if (this.#waiters.size === 0) return;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }
}
