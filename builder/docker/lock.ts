import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

/** A build that waits for another one looks again this often. */
const pollMs = 100;

/** SQLITE_BUSY (sqlite.org/rescode.html). */
const sqliteBusy = 5;

/**
 * Holds the lock file at `path` until it is disposed of. The lock is SQLite's on the file, that is the kernel's:
 * it ends with the process however that ends, so no stale lock is ever left to be guessed about.
 */
export async function acquireLock(options: {
  path: string;
  /** Called once when someone else holds the lock. */
  onWait?: () => void;
  signal?: AbortSignal | undefined;
}): Promise<Disposable> {
  mkdirSync(dirname(options.path), { recursive: true });
  const database = new DatabaseSync(options.path, { timeout: 0 });
  try {
    for (let attempt = 0; !tryLock(database); attempt += 1) {
      if (attempt === 0) options.onWait?.();
      await sleep(pollMs, undefined, { signal: options.signal });
    }
  } catch (error) {
    database.close();
    options.signal?.throwIfAborted();
    throw error;
  }
  return { [Symbol.dispose]: () => database.close() };
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === sqliteBusy) return false;
    throw error;
  }
}
