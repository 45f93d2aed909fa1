import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";

/** Held while a snapshot of one key is made, by one of all processes that use the directory. */
export interface CaptureLock extends Disposable {
  /** Another process held it when it was asked for: what was missing may be there now. */
  readonly hasWaited: boolean;
}

const pollMs = 100;
const locksName = ".locks";

/**
 * Waits for the lock of a key. It is SQLite's exclusive file lock, which the kernel drops with the process, so no
 * kill -9 leaves one behind. Keys share sixteen files, by their first digit, since a lock's file must never be removed.
 * @throws the signal's reason.
 */
export async function lockCapture(input: {
  readonly directory: string;
  readonly identity: string;
  readonly signal: AbortSignal;
}): Promise<CaptureLock> {
  const { signal } = input;
  const locks = join(input.directory, locksName);
  mkdirSync(locks, { recursive: true, mode: 0o700 });
  const file = join(locks, input.identity.slice(0, 1));
  let hasWaited = false;
  for (;;) {
    signal.throwIfAborted();
    const database = tryLock(`${file}.lock`);
    if (database !== undefined) {
      return { hasWaited, [Symbol.dispose]: () => database.close() };
    }
    hasWaited = true;
    // This wait must keep the process alive: a command may have nothing else to do.
    await delay(pollMs, undefined, { signal });
  }
}

function tryLock(file: string): DatabaseSync | undefined {
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    if (/locked|busy/i.test((error as Error).message)) return undefined;
    throw error;
  }
}
