const kib = 1024;
const mib = 1024 * kib;

/** coglet refuses larger bodies itself (its own limit is 100 MiB). */
export const requestBytesMax: number = 100 * mib;
/** One answer of a model: a video as a data URI fits, a runaway generator does not fill the memory. */
export const answerBytesMax: number = 512 * mib;
/** One event of a model's stream; outputs are data URIs, so a single one may be large. */
export const eventBytesMax: number = 128 * mib;
/** An error body of an instance is read this far for its message. */
export const errorBytesMax: number = 64 * kib;

/** Events of one prediction in memory; beyond it older ones go to the streams' journal. Some 10,000 tokens fit. */
export const logMemoryBytesMax: number = 1 * mib;
/** The same of a stream that is in the journal anyhow; its older events are read from there. Some 1,000 tokens fit. */
export const ringBytesMax: number = 128 * kib;
/** All events of one prediction, in memory and in the journal. */
export const logBytesMax: number = 1024 * mib;

/** Printed logs of one prediction that its record keeps (the last ones). */
export const recordLogsBytesMax: number = 1 * mib;
/** Output so far that a look at a running prediction shows. */
export const partialOutputBytesMax: number = 1 * mib;

/** Predictions that wait or run at once; beyond it callers get 503 instead of a queue without end. */
export const runsInFlightMax: number = 5_000;
/** Finished predictions whose events can still be read again. */
export const finishedRunsMax: number = 1_000;
/** Bytes of events in memory over all finished predictions. */
export const finishedBytesMax: number = 64 * mib;
/** How long the events of a finished prediction can be read again. */
export const finishedRunRetentionMs: number = 10 * 60_000;

/** Streams that nobody listens to and that run on for whoever comes back; beyond it the oldest is canceled. */
export const orphanedRunsMax = 500;
/** The longest grace that a caller may ask for (`x-byom-detach: grace=…`). */
export const detachGraceMaxMs: number = 60 * 60_000;

/** Whole answers that pass through to third parties at once; each holds at most one request and one answer. */
export const relaysInFlightMax = 5_000;

/**
 * A caller waits this long for an own model to start, unless its route says otherwise; then 503, while the start goes
 * on. Proxies and SDKs in front give up soon after.
 */
export const startWaitMs: number = 5 * 60_000;
/** A start that answers "busy" or refuses the connection is tried again on another slot this often. */
export const startAttemptsMax = 6;
/** Pause before the second try; it doubles each time (1.5 s in all): coglet frees a slot a moment after its answer. */
export const startRetryDelayMs = 50;
/** An accepted (recorded) prediction whose model cannot start for now is tried again this long. */
export const acceptedRetryMs: number = 10 * 60_000;
/** An accepted prediction waits this long for a slot of a model that is busy; a caller wants less by `Cancel-After`. */
export const acceptedQueueMs: number = 24 * 60 * 60_000;
/** Pause between those tries when the upstream names none, and at most. */
export const acceptedRetryDelayMs = 2_000;
/** `Retry-After` when the upstream names none. */
export const retryAfterDefaultMs = 5_000;

/** Replicate holds `Prefer: wait` this long when no number is given. */
export const holdDefaultMs = 60_000;
export const holdMaxMs: number = 10 * 60_000;

/** A file sent to `/v1/files`. */
export const fileBytesMax: number = 100 * mib;
/** Uploaded files are inputs of a prediction to come and outputs are to be fetched: neither is storage. */
export const fileRetentionMs: number = 24 * 60 * 60_000;
/** All files together; beyond it the oldest are removed. */
export const fileStoreBytesMax: number = 8 * 1024 * mib;
/** How long a signed URL of a file works; each look at a prediction gives a fresh one. */
export const fileUrlLifetimeMs: number = 60 * 60_000;
/** A data URI in a recorded output that is at least this long becomes a file; a shorter one costs less than a URL's round trip. */
export const outputFileCharactersMin: number = 4 * kib;

/** Records of finished predictions are kept this long, as Replicate keeps their data for an hour and byom for a day. */
export const predictionRetentionMs: number = 24 * 60 * 60_000;
/** Records of finished predictions; beyond it the oldest are removed. */
export const predictionsMax = 100_000;
/** Records removed at once, so that the store is never held for long. */
export const pruneBatch = 500;
/** Between two looks for what is to be removed. */
export const pruneIntervalMs = 60_000;

/** One delivery of a webhook, from the connection to the end of the answer. */
export const webhookAttemptMs = 10_000;
/** Deliveries of a completed webhook before it is given up; with the pauses between them some nine minutes. */
export const webhookAttemptsMax = 10;
/** Pause after the first failed delivery; it doubles each time. */
export const webhookRetryDelayMs = 1_000;
export const webhookRetryDelayMaxMs: number = 5 * 60_000;
/** Replicate sends output and logs at most this often. */
export const webhookIntervalMs = 500;
/** Deliveries to one receiver at once; the others wait. */
export const webhooksPerOriginMax = 16;
/** Deliveries at once, so that slow receivers cannot hold more sockets. */
export const webhooksInFlightMax = 128;
export const webhookUrlCharactersMax = 2_048;

/** Replicate's least `Cancel-After`. */
export const cancelAfterMinMs = 5_000;
export const cancelAfterMaxMs: number = 24 * 60 * 60_000;

/** Times that a call may take, each separate; all in milliseconds. */
export interface Deadlines {
  /** TCP connection to an instance. */
  readonly connectMs: number;
  /** From the request to the head of a streamed answer; an unstreamed one comes whole, so `totalMs` holds there. */
  readonly firstByteMs: number;
  /** Between two reads of a streamed answer. coglet sends a comment every 15 s. */
  readonly idleMs: number;
  /**
   * Between two events of a streamed answer, comments and halves of an event not counted: long, as some models think
   * for minutes. Of a whole answer, from its head to its end.
   */
  readonly silenceMs: number;
  /** A whole prediction, start of the instance not counted. */
  readonly totalMs: number;
  /** From a cancel to the answer of the model; then the connection is cut. */
  readonly cancelMs: number;
  /** A caller who is gone may come back within this time before the prediction is canceled. */
  readonly callerGraceMs: number;
  /** A streamed answer without output gets its head after this time; until then a failure is an HTTP status. */
  readonly commitMs: number;
  /** Between two comment frames on a silent stream. */
  readonly keepAliveMs: number;
  /** A reader that takes nothing for this long is disconnected. */
  readonly stalledReaderMs: number;
}

export const defaultDeadlines: Deadlines = {
  connectMs: 5_000,
  firstByteMs: 60_000,
  idleMs: 60_000,
  silenceMs: 10 * 60_000,
  totalMs: 60 * 60_000,
  cancelMs: 10_000,
  callerGraceMs: 5_000,
  commitMs: 5_000,
  keepAliveMs: 10_000,
  stalledReaderMs: 5 * 60_000,
};
