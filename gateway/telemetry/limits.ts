const kib = 1024;
const mib = 1024 * kib;

/** Entries that wait for the log's worker: ten seconds of a gateway at its limit; beyond it they are dropped and counted. */
export const logQueueEntriesMax = 20_000;
/** The same in bytes, payloads included. */
export const logQueueBytesMax: number = 32 * mib;
/** What an entry without payload takes in the queue, about. */
export const logEntryBytes: number = 1 * kib;
/** An entry is in the log, and at those who follow it, this much later at most; a kill loses no more than this. */
export const logFlushIntervalMs = 100;
/** Entries that are written out in one turn of the event loop: some 0.2 ms. */
export const logBatchEntries = 32;
/** A platform that stops does not wait longer than this for its log; what is left then is dropped. */
export const logCloseMs = 5_000;
/** Batches at the worker that it has not written yet; the others wait in the queue. */
export const logBatchesInFlightMax = 16;

/** Input and output of a call, each; what is longer is cut before it is copied. */
export const payloadBytesMax: number = 64 * kib;
/** One text in a payload. */
export const payloadTextCharactersMax: number = 16 * kib;
/** The head of a data URI says what it is; the rest is a file. */
export const dataUriCharactersMax = 96;
export const payloadDepthMax = 32;
/** An upstream's error may quote a whole page. */
export const errorCharactersMax: number = 2 * kib;

/** An operator's regular expressions may take this long for one text, on a busy machine too; then it is left out. */
export const redactionMs = 250;

/** One page of a search. */
export const logPageMax = 1_000;
/** Matches are counted this far. */
export const logCountMax = 10_000;
/** Entries that are deleted in one transaction, so that those who wait to be written are not held up. */
export const logDeleteBatch = 500;
/** Between two looks for what is to be forgotten. */
export const logRetentionIntervalMs: number = 30_000;

/** What one reader of the live tail may have unread before entries pass it by. */
export const tailBytesMax: number = 256 * kib;
/** Readers of the live tail at once. */
export const tailReadersMax = 64;
/** Between two comments on a silent tail. */
export const tailKeepAliveMs = 15_000;

/** Series of one metric; what has further labels is counted under `other`. */
export const seriesMax = 1_000;

/** Spans that wait for the collector; beyond it they are dropped and counted. */
export const spanQueueMax = 8_192;
/** Spans in one request to the collector. */
export const spanBatchMax = 512;
/** OpenTelemetry's own default (`OTEL_BSP_SCHEDULE_DELAY`). */
export const spanFlushIntervalMs = 5_000;
/** One request to the collector. */
export const exportTimeoutMs = 10_000;
/** Tries of one batch; then it is dropped and counted. */
export const exportAttemptsMax = 5;
/** Pause before the second try; it doubles each time. */
export const exportRetryDelayMs = 1_000;
export const exportRetryDelayMaxMs = 30_000;
/** Between two exports of metrics (`OTEL_METRIC_EXPORT_INTERVAL`). */
export const metricsIntervalMs = 60_000;
