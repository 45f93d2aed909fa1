import { GatewayError } from "../errors.ts";
import { logBytesMax, logMemoryBytesMax, ringBytesMax } from "../limits.ts";
import type { EventKind, StreamEvent } from "./event.ts";
import type { Journal, JournalWriter } from "./journal.ts";
import type { KeptStream } from "./kept-stream.ts";

export interface EventLogOptions {
  /** The run's id. */
  readonly id: string;
  /** Where what does not fit in memory goes, and all of a stream that can be read again; absent: memory alone. */
  readonly journal?: Journal;
  readonly memoryBytesMax?: number;
  readonly ringBytesMax?: number;
  readonly bytesMax?: number;
}

/** Overhead per event that the memory bound counts beside its bytes (object, array slot). */
const eventOverheadBytes = 96;

/** How many times its memory bound a log may hold when the disk refuses; then its oldest events are lost. */
const refusedFactor = 16;

/**
 * The append-only log of one prediction. The writer never waits: the newest events are in memory, older ones in the
 * journal, and any number of readers follow at their own pace from any position. A log that is kept (`keep`) has all of
 * its events in the journal, and its readers see an event once it is there.
 */
export class EventLog implements JournalWriter {
  readonly #options: EventLogOptions;
  readonly #bytesMax: number;
  #memoryBytesMax: number;
  #stream: KeptStream | undefined;
  /** Index of the first event in memory. */
  #base = 0;
  #memory: StreamEvent[] = [];
  #memoryBytes = 0;
  #totalBytes = 0;
  /** How many events readers may see. */
  #readable = 0;
  #isEnded = false;
  #isRemoved = false;
  #endFacts: string | undefined;
  readonly #waiters = new Set<() => void>();
  readonly #listeners = new Set<() => void>();

  constructor(options: EventLogOptions) {
    this.#options = options;
    this.#memoryBytesMax = options.memoryBytesMax ?? logMemoryBytesMax;
    this.#bytesMax = options.bytesMax ?? logBytesMax;
  }

  /** The log of a stream that has ended, all of it in the journal. */
  static ofKept(journal: Journal, stream: KeptStream): EventLog {
    const log = new EventLog({ id: stream.id, journal });
    log.#stream = stream;
    log.#isEnded = true;
    const count = stream.events.length;
    log.#base = count;
    log.#readable = count;
    if (count === 0) return log;
    const last = journal.readNow(stream, count - 1);
    log.#base = count - 1;
    log.#memory = [last];
    log.#memoryBytes = last.data.length + eventOverheadBytes;
    return log;
  }

  /** How many events have been appended. */
  get length(): number {
    return this.#base + this.#memory.length;
  }

  /** Index of the oldest event in memory: `peek` has everything from there on. */
  get firstInMemory(): number {
    return this.#base;
  }

  /** How many of them readers may see: those of a kept log that are written. */
  get readable(): number {
    return this.#readable;
  }

  /** No event will follow; the last ones may not be readable yet. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  get isKept(): boolean {
    return this.#stream?.isKept === true;
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** The newest event; it never leaves memory while the log is kept. */
  get last(): StreamEvent | undefined {
    return this.#memory.at(-1);
  }

  /**
   * Keeps the log in the journal from now on, what it has already included: it can be read again after its end and after
   * a restart. On the disk when this returns, unless the disk refuses. `facts` is JSON.
   */
  keep(options: { readonly facts: string; readonly ttlMs: number | undefined }): void {
    const { journal, id } = this.#options;
    if (journal === undefined || this.#isRemoved) return;
    // What already lies there for want of room has no word of whose it is: it stays readable for as long as its run.
    if (this.#stream !== undefined) return;
    this.#stream = journal.open({ id, ...options });
    this.#memoryBytesMax = this.#options.ringBytesMax ?? ringBytesMax;
    journal.mark(this);
    journal.flush();
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
    if (this.#memoryBytes > this.#memoryBytesMax && this.#memory.length > 1) this.#spill();
    this.#changed();
    return true;
  }

  /** No event will follow; readers finish. `facts`, JSON, say of a kept log how it ended. */
  end(facts?: string): void {
    this.#isEnded = true;
    this.#endFacts = facts;
    this.#changed();
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
    const stream = this.#stream;
    if (stream !== undefined) stream.readers += 1;
    return () => {
      if (this.#listeners.delete(listener) && stream !== undefined) stream.readers -= 1;
    };
  }

  /** Events from `from` on as far as they are in memory; undefined when the first of them is in the journal. */
  peek(from: number): readonly StreamEvent[] | undefined {
    if (from < this.#base) return undefined;
    return this.#memory.slice(from - this.#base, Math.max(0, this.#readable - this.#base));
  }

  /** One bounded piece of what is in the journal, from `from` on. @throws `GatewayError` when it is gone */
  async readSpilled(from: number): Promise<readonly StreamEvent[]> {
    const { journal, id } = this.#options;
    if (journal === undefined || this.#stream === undefined) {
      throw new GatewayError("not_found", `The events of ${id} from ${from} on are gone.`);
    }
    return await journal.read(this.#stream, from);
  }

  /**
   * Events from `from` on, in batches: all that are in memory, or one bounded piece of the journal. Ends after the log's
   * last event; stops without error when the signal aborts.
   */
  async *read(options: {
    readonly from: number;
    readonly signal: AbortSignal;
  }): AsyncGenerator<readonly StreamEvent[], void, void> {
    let next = options.from;
    while (!options.signal.aborted && !this.#isRemoved) {
      if (next < this.#readable) {
        const batch = this.peek(next) ?? (await this.readSpilled(next));
        next += batch.length;
        yield batch;
      } else if (this.#isEnded && next >= this.length) {
        return;
      } else {
        await this.#nextChange(options.signal);
      }
    }
  }

  /** Gives its memory back. What is kept stays in the journal for its time; anything else is gone. */
  remove(): void {
    this.#isEnded = true;
    this.#isRemoved = true;
    this.publish();
    this.#memory = [];
    this.#memoryBytes = 0;
    if (this.#stream?.isKept === false) this.#options.journal?.release(this.#stream);
  }

  get stream(): KeptStream {
    if (this.#stream === undefined) throw new Error(`${this.#options.id} is not in the journal.`);
    return this.#stream;
  }

  unwritten(): readonly StreamEvent[] {
    const written = this.stream.events.length;
    return written >= this.length ? [] : this.#memory.slice(Math.max(0, written - this.#base));
  }

  endFacts(): string | undefined {
    return this.#isEnded ? this.#endFacts : undefined;
  }

  publish(): void {
    this.#readable = this.length;
    if (this.#stream !== undefined) this.#trim(this.#stream);
    for (const listener of this.#listeners) listener();
    if (this.#waiters.size === 0) return;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }

  #changed(): void {
    if (this.#stream === undefined) this.publish();
    else this.#options.journal?.mark(this);
  }

  /** The memory is full: from now on the journal takes the events, though nobody may ask for them there. */
  #spill(): void {
    const { journal, id } = this.#options;
    if (journal === undefined || this.#stream !== undefined) return;
    this.#stream = journal.open({ id, facts: undefined, ttlMs: 0 });
  }

  /** Lets the oldest events go that are in the journal; when the disk refuses too long, the oldest ones at all. */
  #trim(stream: KeptStream): void {
    if (this.#memoryBytes <= this.#memoryBytesMax) return;
    const keepBytes = this.#memoryBytesMax / 2;
    const lostBytes = this.#memoryBytesMax * refusedFactor;
    let count = 0;
    while (count < this.#memory.length - 1 && this.#memoryBytes > keepBytes) {
      const isWritten = this.#base + count < stream.events.length;
      if (!isWritten) {
        if (this.#memoryBytes <= lostBytes) break;
        this.#options.journal?.skip(stream);
      }
      this.#memoryBytes -= (this.#memory[count]?.data.length ?? 0) + eventOverheadBytes;
      count += 1;
    }
    if (count === 0) return;
    this.#memory.splice(0, count);
    this.#base += count;
  }

  #nextChange(signal: AbortSignal): Promise<void> {
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
}
