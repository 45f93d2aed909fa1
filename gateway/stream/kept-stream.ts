import { EventIndex, type EventPlace } from "./event-index.ts";

/** One stream in the journal: where its records lie. */
export class KeptStream {
  readonly number: number;
  /** The run's. */
  readonly id: string;
  /** False: only what did not fit in memory lies here; nobody can ask for it by its id. */
  readonly isKept: boolean;
  /** Milliseconds that it can be read again after its end. */
  readonly ttlMs: number;
  readonly events: EventIndex = new EventIndex();
  /** Numbers of the segments that it has records in, ascending. */
  readonly segments: number[] = [];
  /** Its `open` record, until it is written. */
  unopened: Buffer | undefined;
  opened: EventPlace | undefined;
  ended: EventPlace | undefined;
  /** Milliseconds since the epoch. */
  endedAt: number | undefined;
  /** False once some of its events are gone: it cannot be given again from its beginning. */
  isWhole = true;
  /** Readers that are at it. */
  readers = 0;

  constructor(options: {
    readonly number: number;
    readonly id: string;
    readonly isKept: boolean;
    readonly ttlMs: number;
  }) {
    this.number = options.number;
    this.id = options.id;
    this.isKept = options.isKept;
    this.ttlMs = options.ttlMs;
  }

  /** Notes a record in a segment. */
  touch(segment: number): void {
    if (this.segments.at(-1) !== segment) this.segments.push(segment);
  }
}

/** What an `open` record says; `facts` is null for a stream that cannot be asked for. */
export interface OpenRecord {
  readonly id: string;
  readonly ttlMs: number;
  readonly facts: unknown;
}
