const mib = 1024 * 1024;

/** Cloudflare's bounds of `cf-aig-cache-ttl`, in seconds: a minute to a month. */
export const cacheTtlMinS = 60;
export const cacheTtlMaxS: number = 31 * 24 * 60 * 60;
/** What a caller gets who names a key and no time, as at Cloudflare. */
export const cacheTtlDefaultS: number = 5 * 60;
/** A longer key is no name but a document. */
export const cacheKeyCharactersMax = 1_024;

/** One answer: a picture as a data URI fits, a video does not. */
export const cacheEntryBytesMax: number = 16 * mib;
/** All answers in memory; some 30,000 of a chat's length. */
export const cacheMemoryBytesMax: number = 64 * mib;
/** All answers on disk; beyond it the one goes first that was not asked for longest. */
export const cacheDiskBytesMax: number = 1024 * mib;
/** Files in one folder; names of this many are read in a tenth of a second at the start. */
export const cacheFilesMax = 100_000;
/** Answers that wait for the disk; beyond it they are kept in memory only. */
export const cachePendingBytesMax: number = 64 * mib;
/** Between two looks for answers whose time has passed. */
export const cacheSweepIntervalMs = 60_000;
/** Bodies up to this length are read as JSON for their key, so that white space and order do not matter; longer ones count byte for byte. */
export const cacheCanonicalBytesMax: number = mib;
