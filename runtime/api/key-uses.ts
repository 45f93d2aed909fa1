import type { Clock } from "../clock.ts";
import type { KeyStore } from "../store/keys.ts";

/** Times of last use go to the database this long after the first one of a batch: one commit for all calls between. */
const usesFlushMs = 10_000;

/** When keys were used last. */
export interface KeyUses {
  add(keyId: string, atMs: number): void;
  /** ISO 8601; undefined when it was not used since the start. */
  lastUsedAt(keyId: string): string | undefined;
  /** Writes what is only in memory. */
  flush(): void;
}

/** Times of last use: a map entry a call, a commit a batch. */
export function createKeyUses(store: KeyStore, clock: Clock): KeyUses {
  const lastMs = new Map<string, number>();
  let unsaved = new Set<string>();
  let isScheduled = false;
  const lastUsedAt = (keyId: string): string | undefined => {
    const atMs = lastMs.get(keyId);
    return atMs === undefined ? undefined : new Date(atMs).toISOString();
  };
  const flush = (): void => {
    if (unsaved.size === 0) return;
    const batch = [...unsaved].map((id) => [id, lastUsedAt(id) ?? ""] as const);
    store.touch(new Map(batch));
    unsaved = new Set();
  };
  const flushLater = async (): Promise<void> => {
    try {
      await clock.delay(usesFlushMs);
      flush();
    } catch {
      // What could not be written goes with the next batch: no call fails for it.
    } finally {
      isScheduled = false;
    }
  };
  return {
    add(keyId, atMs) {
      lastMs.set(keyId, atMs);
      unsaved.add(keyId);
      if (isScheduled) return;
      isScheduled = true;
      void flushLater();
    },
    lastUsedAt,
    flush,
  };
}
