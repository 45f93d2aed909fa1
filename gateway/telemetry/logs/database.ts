import { DatabaseSync } from "node:sqlite";

import { migrate } from "../../sqlite.ts";

/** Numbered by position, applied once each, never edited after a release: a change is a new entry at the end. */
const migrations: readonly string[] = [
  `
  CREATE TABLE calls (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    began_at INTEGER NOT NULL,
    duration_ms REAL NOT NULL,
    first_output_ms REAL,
    request_id TEXT, event_id TEXT, trace_id TEXT,
    surface TEXT, requested_model TEXT NOT NULL, model TEXT NOT NULL, task TEXT NOT NULL,
    provider TEXT NOT NULL, route TEXT, key_id TEXT,
    status TEXT NOT NULL, status_code INTEGER NOT NULL, code TEXT,
    is_cached INTEGER NOT NULL, is_streamed INTEGER NOT NULL,
    nano_usd INTEGER NOT NULL, tokens_in INTEGER, tokens_out INTEGER,
    feedback REAL, score REAL,
    entry TEXT NOT NULL
  ) STRICT;
  CREATE INDEX calls_by_time ON calls (began_at);
  CREATE INDEX calls_by_model ON calls (model);
  CREATE INDEX calls_by_key ON calls (key_id);
  CREATE INDEX calls_by_code ON calls (code) WHERE code IS NOT NULL;
  CREATE INDEX calls_by_request ON calls (request_id) WHERE request_id IS NOT NULL;
  CREATE INDEX calls_by_event ON calls (event_id) WHERE event_id IS NOT NULL;
  CREATE TABLE call_metadata (
    key TEXT NOT NULL, value TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (key, value, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX call_metadata_by_call ON call_metadata (seq);
  CREATE TABLE texts (
    seq INTEGER PRIMARY KEY, error TEXT NOT NULL, input TEXT NOT NULL, output TEXT NOT NULL,
    has_payload INTEGER NOT NULL
  ) STRICT;
  CREATE VIRTUAL TABLE words USING fts5(error, input, output, content = 'texts', content_rowid = 'seq');
  INSERT INTO words(words, rank) VALUES ('secure-delete', 1);
  `,
];

/** A reader of another process may hold a lock this long before a write gives up. */
const busyTimeoutMs = 5_000;
/** Pages that the log of changes has before they are written to their place. */
const checkpointPages = 4_000;

/**
 * Opens the log's file. With `synchronous = NORMAL` a commit survives kill -9 and does not wait for the disk; what is
 * deleted is overwritten (`secure_delete`), in the index of words, too.
 * @throws Error naming the file when a newer byom wrote it
 */
export function openLogDatabase(
  path: string,
  options: { readonly isReader: boolean },
): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: options.isReader });
  try {
    database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    if (options.isReader) return database;
    database.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON;
       PRAGMA wal_autocheckpoint = ${checkpointPages}`,
    );
    migrate(database, { migrations, tooNew: (applied) => tooNew(path, applied) });
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function tooNew(path: string, applied: number): Error {
  return new Error(
    `${path} has schema ${applied}, this byom knows up to ${migrations.length}; run the byom that wrote it, or move the file away`,
  );
}
