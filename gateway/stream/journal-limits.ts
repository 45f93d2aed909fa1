const kib = 1024;
const mib = 1024 * kib;

/** How much of the streams is kept, where and for how long. */
export interface JournalLimits {
  /** A segment file is closed beyond this; small enough that removing one frees space soon. */
  readonly segmentBytesMax: number;
  /** Milliseconds; a segment takes no more events after this, so that what is over can be removed. */
  readonly segmentAgeMs: number;
  /** All segment files together; beyond it the oldest are removed, whoever has events there. */
  readonly storeBytesMax: number;
  /** Streams that have ended and can be read again; beyond it the oldest are forgotten. */
  readonly endedStreamsMax: number;
  /**
   * Memory for where the events of ended streams lie (12 bytes an event); beyond it the oldest streams are forgotten.
   * Two million events are also what a start reads in some seconds.
   */
  readonly indexBytesMax: number;
  /** Milliseconds that a stream can be read again after its end, when its caller says nothing else. */
  readonly retentionMs: number;
}

export const journalLimits: JournalLimits = {
  segmentBytesMax: 32 * mib,
  segmentAgeMs: 10 * 60_000,
  storeBytesMax: 2 * 1024 * mib,
  endedStreamsMax: 10_000,
  indexBytesMax: 24 * mib,
  retentionMs: 60 * 60_000,
};

/** The longest that a caller may ask for (`x-byom-stream-ttl`): a day, as predictions are kept. */
export const streamTtlMaxMs: number = 24 * 60 * 60_000;
/** Between two looks for streams whose time has passed. */
export const sweepIntervalMs = 30_000;
/** After a write that failed, the disk is tried again no sooner than this. */
export const writeRetryMs = 1_000;
/** Bytes that go to the disk in one call; what many streams brought at once fits in few calls. */
export const scratchBytes: number = 256 * kib;
/** One read for one reader takes at most so much. */
export const readBytesMax: number = 256 * kib;
/** Pieces of one read: events of other streams lie between ours. */
export const readPiecesMax = 64;
/** Two of our events with less than this between them are read together. */
export const readGapBytes: number = 4 * kib;
/** At start the segments are read in pieces of this size. */
export const scanBytes: number = 1 * mib;
