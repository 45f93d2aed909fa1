const kib = 1024;
const mib = 1024 * kib;

/** A segment of the journal is followed by the next one beyond this: some 40,000 legs, read again in 0.1 s. */
export const segmentBytesMax: number = 16 * mib;
/** What could not be written (a full disk) waits in memory up to here; beyond it legs are lost, and counted. */
export const unwrittenBytesMax: number = 4 * mib;
/** Sets of names and of metadata that one segment refers to by number; beyond it they are written anew. */
export const knownSetsMax = 2_048;
/** Between a leg and its place in the sums, at most; a question does not wait for it. */
export const importIntervalMs = 1_000;
/** What is read of a segment at once, and becomes durable in one transaction. */
export const importBytes: number = 256 * kib;
/** Of the thread, for what lives shortly: the lines of one piece of the journal. Left to itself it takes 100 MiB more. */
export const workerYoungMiB = 8;

/** Legs of one block of columns: a settled leg costs the making of one block anew, some 50 ms. */
export const blockLegs = 8_192;
/** Names of metadata that have columns of their own; all others are kept with the leg, and sums over them read every leg. */
export const metadataColumnsMax = 256;
/** Texts that are known by number in memory; others are looked up. */
export const namesInMemoryMax = 50_000;

/** Numbers beyond tokens and units that a model reported and a leg keeps. */
export const metricsMax = 24;
export const metricNameCharactersMax = 64;
/** A message of an upstream says what went wrong in its first words. */
export const errorCharactersMax = 300;

/** Rows of one answer about spend, unless the question says otherwise, and at most. */
export const rowsDefault = 100;
export const rowsMax = 10_000;
/** Dimensions of one question: two make a table, more make a list that nobody reads. */
export const dimensionsMax = 2;
/** Legs of one page. */
export const legsDefault = 50;
export const legsMax = 1_000;
/** Legs that one request settles; a longer list comes in parts. */
export const settleMax = 10_000;
/** Questions that wait at once; beyond it 503. */
export const questionsMax = 64;

/**
 * The ledger removes nothing by itself: what was paid is the operator's to forget. Beyond this size (some 25 million
 * legs) it says so at every start, and how to remove what is old.
 */
export const ledgerBytesNotice: number = 10 * kib * mib;
