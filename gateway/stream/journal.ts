import { GatewayError } from "../errors.ts";
import type { OnGatewayEvent } from "../events.ts";
import type { EventKind, StreamEvent } from "./event.ts";
import type { EventPlace } from "./event-index.ts";
import {
  journalLimits,
  scratchBytes,
  sweepIntervalMs,
  writeRetryMs,
  type JournalLimits,
} from "./journal-limits.ts";
import { KeptStream } from "./kept-stream.ts";
import { eventAt, eventsIn, planReading } from "./read-events.ts";
import { headBytes, writeRecord, type RecordType } from "./record.ts";
import { scanSegments } from "./scan.ts";
import { Segments } from "./segments.ts";

export interface JournalOptions {
  readonly directory: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly onEvent?: OnGatewayEvent;
  readonly limits?: Partial<JournalLimits>;
}

/** A log whose events go into the journal. */
export interface JournalWriter {
  readonly stream: KeptStream;
  /** Events that are not on the disk yet, in order. */
  unwritten(): readonly StreamEvent[];
  /** What its end record says; undefined while it goes on. */
  endFacts(): string | undefined;
  /** What could be written is: its readers may see all. The listener must not throw. */
  publish(): void;
}

interface Planned {
  readonly stream: KeptStream;
  readonly type: RecordType;
  readonly payloadBytes: number;
}

/**
 * The append-only journal of all streams that can be read again. What many streams bring in one turn goes to the disk in
 * one write, before any reader hears of it: kill -9 loses nothing that a caller has seen. A disk that refuses ends no
 * stream: what is new stays in memory and is written when the disk takes it again.
 */
export class Journal {
  readonly #clock: () => number;
  readonly #onEvent: OnGatewayEvent;
  readonly #limits: JournalLimits;
  readonly #segments: Segments;
  readonly #streams = new Map<number, KeptStream>();
  readonly #numbers = new Map<string, number>();
  /** Ended ones in the order in which they ended. */
  readonly #ended = new Set<KeptStream>();
  readonly #dirty = new Set<JournalWriter>();
  /** Those with events that the disk has refused. */
  readonly #behind = new Set<JournalWriter>();
  readonly #sweep: NodeJS.Timeout;
  readonly #scratch = Buffer.allocUnsafe(scratchBytes);
  #scratchUsed = 0;
  #planned: Planned[] = [];
  #lastNumber = 0;
  #endedIndexBytes = 0;
  #isScheduled = false;
  #retryAt = 0;

  /** Opens the journal and takes up what a former process left in it. */
  constructor(options: JournalOptions) {
    this.#clock = options.clock;
    this.#onEvent = options.onEvent ?? (() => undefined);
    this.#limits = { ...journalLimits, ...options.limits };
    const { directory, clock } = options;
    this.#segments = new Segments({ directory, clock, limits: this.#limits });
    this.#recover();
    this.#sweep = setInterval(() => this.sweep(), sweepIntervalMs).unref();
  }

  /** Bytes on the disk. */
  get storeBytes(): number {
    return this.#segments.totalBytes;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** Whether the disk has refused what some streams brought. */
  get isBehind(): boolean {
    return this.#behind.size > 0;
  }

  /**
   * Begins a stream, which is written with its first `flush`. `facts` is JSON, and undefined for one that only needs the
   * room. Of one id the later one holds.
   */
  open(options: { id: string; facts: string | undefined; ttlMs: number | undefined }): KeptStream {
    const { id, facts, ttlMs = this.#limits.retentionMs } = options;
    const isKept = facts !== undefined;
    this.#lastNumber += 1;
    const stream = new KeptStream({ number: this.#lastNumber, id, isKept, ttlMs });
    if (isKept) this.forget(id);
    this.#streams.set(stream.number, stream);
    if (isKept) this.#numbers.set(id, stream.number);
    const head = `{"id":${JSON.stringify(id)},"ttlMs":${ttlMs},"facts":`;
    stream.unopened = Buffer.from(`${head}${facts ?? "null"}}`);
    return stream;
  }

  /** A stream that can be read again from its beginning. */
  find(id: string): KeptStream | undefined {
    const stream = this.#streams.get(this.#numbers.get(id) ?? 0);
    if (stream?.isWhole !== true || stream.opened === undefined) return undefined;
    const { endedAt, ttlMs } = stream;
    return endedAt !== undefined && this.#clock() - endedAt >= ttlMs ? undefined : stream;
  }

  /** All that can be found and have not ended. */
  unended(): readonly KeptStream[] {
    return [...this.#streams.values()].filter(({ isKept, ended }) => isKept && ended === undefined);
  }

  /** To be called when a log has something new: it is written at the end of this turn, and published then. */
  mark(log: JournalWriter): void {
    this.#dirty.add(log);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.flush());
  }

  /** Writes what is new, now. */
  flush(): void {
    this.#isScheduled = false;
    const changed = [...this.#dirty];
    this.#dirty.clear();
    const isRefused = this.#behind.size > 0 && this.#clock() < this.#retryAt;
    const logs = isRefused ? [] : new Set([...this.#behind, ...changed]);
    try {
      for (const log of logs) this.#write(log);
      this.#drain();
      this.#caughtUp();
    } catch (cause) {
      this.#refused(cause, logs);
    }
    if (isRefused) for (const log of changed) this.#behind.add(log);
    for (const log of changed) log.publish();
    this.#keepStoreBound();
  }

  /** Events from `from` on, a bounded piece of them. @throws `GatewayError` `not_found` when the first of them is gone */
  async read(stream: KeptStream, from: number): Promise<readonly StreamEvent[]> {
    const reading = planReading(stream.events, from);
    if (reading.places.length === 0) throw eventsGone(stream, from);
    const read = await Promise.all(
      reading.pieces.map(async (piece) => {
        const segment = this.#segments.get(piece.segment);
        if (segment === undefined) throw eventsGone(stream, from);
        return { piece, bytes: await segment.read(piece.from, piece.to - piece.from) };
      }),
    );
    return eventsIn(reading, read, from);
  }

  /** One event, at once. */
  readNow(stream: KeptStream, index: number): StreamEvent {
    const place = stream.events.at(index);
    if (place === undefined) throw eventsGone(stream, index);
    return eventAt(this.#bytesAt(stream, place), 0, index);
  }

  /** What was said of a stream when it was opened, and at its end; both parsed. */
  factsOf(stream: KeptStream): { readonly opened: unknown; readonly ended: unknown } {
    const factsAt = (place: EventPlace | undefined): unknown =>
      (this.#json(stream, place) as { readonly facts?: unknown } | undefined)?.facts;
    return { opened: factsAt(stream.opened), ended: factsAt(stream.ended) };
  }

  /** Ends a stream that a former process could not end, with an event that says so. @throws what the disk says */
  interrupt(stream: KeptStream, end: { readonly data: Buffer; readonly facts: string }): void {
    const index = stream.events.length;
    this.#put({ stream, type: "event", kind: "error", index, payload: end.data });
    this.#put({ stream, type: "end", payload: this.#endPayload(end.facts) });
    this.#drain();
  }

  /** Takes an event of a log that is nowhere any more out of the count of what is to be written. */
  skip(stream: KeptStream): void {
    stream.isWhole = false;
    stream.events.pushLost();
  }

  /** A stream that is not to be found any more; its place on the disk is free when others leave it too. */
  forget(id: string): void {
    const stream = this.#streams.get(this.#numbers.get(id) ?? 0);
    if (stream === undefined) return;
    this.#put({ stream, type: "forget", payload: Buffer.alloc(0) });
    try {
      this.#drain();
    } catch (cause) {
      this.#refused(cause, []);
    }
    this.release(stream);
  }

  /** As `forget`, without a word on the disk: for streams whose time has passed, or which only needed the room. */
  release(stream: KeptStream): void {
    this.#streams.delete(stream.number);
    if (this.#numbers.get(stream.id) === stream.number) this.#numbers.delete(stream.id);
    if (this.#ended.delete(stream)) this.#endedIndexBytes -= stream.events.sizeBytes;
    for (const number of stream.segments) {
      const segment = this.#segments.get(number);
      if (segment?.streams.delete(stream.number) !== true) continue;
      if (segment.streams.size === 0 && !this.#segments.isCurrent(segment)) {
        this.#segments.remove(segment);
      }
    }
  }

  /** Forgets what is too old or too much; writes again what the disk refused. */
  sweep(): void {
    if (this.#behind.size > 0) this.flush();
    const now = this.#clock();
    const { endedStreamsMax, indexBytesMax } = this.#limits;
    for (const stream of this.#ended) {
      const isOver =
        this.#ended.size > endedStreamsMax ||
        this.#endedIndexBytes > indexBytesMax ||
        now - (stream.endedAt ?? now) >= stream.ttlMs;
      if (isOver && stream.readers === 0) this.release(stream);
    }
  }

  close(): void {
    clearInterval(this.#sweep);
    this.flush();
    this.#segments.close();
  }

  #recover(): void {
    const { streams, lastNumber } = scanSegments(this.#segments.all());
    this.#lastNumber = lastNumber;
    for (const stream of streams.values()) {
      this.#streams.set(stream.number, stream);
      this.#numbers.set(stream.id, stream.number);
      for (const number of stream.segments) {
        this.#segments.get(number)?.streams.add(stream.number);
      }
      if (stream.ended === undefined) continue;
      const { endedAt } = this.#json(stream, stream.ended) as { readonly endedAt?: number };
      this.#markEnded(stream, endedAt ?? this.#clock());
    }
    this.sweep();
    for (const segment of this.#segments.all()) {
      if (segment.streams.size === 0) this.#segments.remove(segment);
    }
    this.#keepStoreBound();
  }

  #write(log: JournalWriter): void {
    const { stream } = log;
    const { unopened } = stream;
    if (unopened !== undefined) this.#put({ stream, type: "open", payload: unopened });
    for (const event of log.unwritten()) {
      this.#put({
        stream,
        type: "event",
        kind: event.kind,
        index: event.index,
        payload: event.data,
      });
    }
    const facts = log.endFacts();
    if (facts === undefined || !stream.isKept || stream.ended !== undefined) return;
    this.#put({ stream, type: "end", payload: this.#endPayload(facts) });
  }

  #endPayload(facts: string): Buffer {
    return Buffer.from(`{"endedAt":${this.#clock()},"facts":${facts}}`);
  }

  #put(record: {
    readonly stream: KeptStream;
    readonly type: RecordType;
    readonly kind?: EventKind;
    readonly index?: number;
    readonly payload: Buffer;
  }): void {
    const { stream, type, payload } = record;
    const neededBytes = headBytes + payload.length;
    if (this.#scratchUsed + neededBytes > this.#scratch.length) this.#drain();
    const isLarge = neededBytes > this.#scratch.length;
    const target = isLarge ? Buffer.allocUnsafe(neededBytes) : this.#scratch;
    const at = isLarge ? 0 : this.#scratchUsed;
    writeRecord(target, at, { ...record, stream: stream.number });
    this.#planned.push({ stream, type, payloadBytes: payload.length });
    if (isLarge) this.#append(target);
    else this.#scratchUsed += neededBytes;
  }

  #drain(): void {
    if (this.#scratchUsed === 0) return;
    const bytes = this.#scratch.subarray(0, this.#scratchUsed);
    this.#scratchUsed = 0;
    this.#append(bytes);
  }

  /** Writes records, and notes where they lie once they do. */
  #append(bytes: Buffer): void {
    const planned = this.#planned;
    this.#planned = [];
    const segment = this.#segments.writable();
    let { sizeBytes: offset } = segment;
    this.#segments.append(bytes);
    for (const { stream, type, payloadBytes } of planned) {
      // What was forgotten meanwhile holds no file.
      if (type !== "forget" && this.#streams.has(stream.number)) {
        segment.streams.add(stream.number);
        stream.touch(segment.number);
      }
      if (type === "event") stream.events.push(segment.number, offset, payloadBytes);
      else if (type === "open") {
        stream.opened = { segment: segment.number, offset, payloadBytes };
        stream.unopened = undefined;
      } else if (type === "end") {
        stream.ended = { segment: segment.number, offset, payloadBytes };
        this.#markEnded(stream, this.#clock());
      }
      offset += headBytes + payloadBytes;
    }
  }

  #markEnded(stream: KeptStream, endedAt: number): void {
    stream.endedAt = endedAt;
    stream.events.trim();
    this.#ended.add(stream);
    this.#endedIndexBytes += stream.events.sizeBytes;
    const { endedStreamsMax, indexBytesMax } = this.#limits;
    if (this.#ended.size > endedStreamsMax || this.#endedIndexBytes > indexBytesMax) {
      const [oldest] = this.#ended;
      if (oldest !== undefined && oldest !== stream && oldest.readers === 0) this.release(oldest);
    }
  }

  #refused(cause: unknown, logs: Iterable<JournalWriter>): void {
    this.#scratchUsed = 0;
    this.#planned = [];
    for (const log of logs) this.#behind.add(log);
    const isNew = this.#retryAt === 0;
    this.#retryAt = this.#clock() + writeRetryMs;
    if (isNew) this.#onEvent({ type: "journal-fail", streams: this.#behind.size, cause });
  }

  #caughtUp(): void {
    if (this.#clock() < this.#retryAt) return;
    this.#behind.clear();
    this.#retryAt = 0;
  }

  /** The oldest file makes room, whoever has events in it. */
  #keepStoreBound(): void {
    for (let oldest = this.#segments.surplus(); oldest; oldest = this.#segments.surplus()) {
      for (const number of oldest.streams) {
        const stream = this.#streams.get(number);
        if (stream === undefined) continue;
        stream.isWhole = false;
        if (stream.ended !== undefined) this.release(stream);
      }
      this.#segments.remove(oldest);
    }
  }

  #json(stream: KeptStream, place: EventPlace | undefined): unknown {
    if (place === undefined) return undefined;
    return JSON.parse(this.#bytesAt(stream, place).toString("utf8", headBytes)) as unknown;
  }

  #bytesAt(stream: KeptStream, { segment, offset, payloadBytes }: EventPlace): Buffer {
    const bytes = this.#segments.get(segment)?.readNow(offset, headBytes + payloadBytes);
    if (bytes?.length !== headBytes + payloadBytes) throw eventsGone(stream, 0);
    return bytes;
  }
}

function eventsGone(stream: KeptStream, from: number): GatewayError {
  return new GatewayError(
    "not_found",
    `The events of ${stream.id} from ${from} on are not kept any more.`,
  );
}
