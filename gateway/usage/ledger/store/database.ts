import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { migrate } from "../../../sqlite.ts";

/** Numbered by position, applied once each, never edited after a release: a change is a new entry at the end. */
const migrations: readonly string[] = [
  `
  -- Every text of a leg once: models, keys, values of metadata.
  CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
  -- Names of metadata that have columns.
  CREATE TABLE metadata_keys (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  -- How far each segment of the journal has been taken in.
  CREATE TABLE segments (name TEXT PRIMARY KEY, epoch TEXT NOT NULL, bytes INTEGER NOT NULL) STRICT;
  -- Begun, not ended.
  CREATE TABLE open_legs (
    segment TEXT NOT NULL, number INTEGER NOT NULL, epoch TEXT NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY (segment, number)
  ) STRICT, WITHOUT ROWID;
  -- Every leg that has ended, in the order in which that became known.
  CREATE TABLE legs (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, began_at INTEGER NOT NULL,
    settling INTEGER NOT NULL, record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX legs_settling ON legs (id) WHERE settling > 0;
  -- The same legs by columns, some thousands at a time: what sums are made of. They can be made anew from the legs.
  CREATE TABLE blocks (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, legs INTEGER NOT NULL,
    began_from INTEGER NOT NULL, began_to INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE columns (
    block INTEGER NOT NULL, name TEXT NOT NULL, data BLOB NOT NULL, UNIQUE (block, name)
  ) STRICT;
  `,
];

/** Scans read a few dozen megabytes; what the file cache has is read in no time. */
const cacheKib = 16 * 1024;

/**
 * Opens `ledger.db`, which one process at a time may have: another one's legs would look as if they had been
 * interrupted. The kernel drops the lock with the process.
 * @throws Error when it is locked, damaged, or a newer byom's
 */
export function openDatabase(directory: string): DatabaseSync {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(join(directory, "ledger.db"));
  try {
    database.exec(
      `PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
       PRAGMA cache_size = -${cacheKib}`,
    );
    migrate(database, {
      migrations,
      tooNew: (applied) =>
        new Error(`ledger.db has schema ${applied}; this byom knows ${migrations.length}`),
    });
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
