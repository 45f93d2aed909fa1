import type { DatabaseSync } from "node:sqlite";

import { StoreError } from "../errors.ts";

/** Numbered by position, applied once each, never edited after a release: a change is a new entry at the end. */
const migrations: readonly string[] = [
  `
  CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

  CREATE TABLE models (
    id TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    next_version INTEGER NOT NULL DEFAULT 1
  ) STRICT;

  CREATE TABLE versions (
    model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    identity TEXT NOT NULL,
    record TEXT NOT NULL,
    example_output TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (model_id, number),
    UNIQUE (model_id, identity)
  ) STRICT;

  CREATE TABLE deployments (
    model_id TEXT PRIMARY KEY REFERENCES models (id) ON DELETE CASCADE,
    traffic TEXT NOT NULL,
    scaling TEXT NOT NULL,
    updated_at TEXT NOT NULL
  ) STRICT;

  CREATE TABLE releases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    traffic TEXT NOT NULL,
    scaling TEXT NOT NULL,
    by TEXT,
    created_at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX releases_model ON releases (model_id, id);

  CREATE TABLE instances (
    id TEXT PRIMARY KEY,
    model_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    container_id TEXT,
    start TEXT,
    created_at TEXT NOT NULL
  ) STRICT;

  CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at TEXT NOT NULL
  ) STRICT;

  CREATE TABLE predictions (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    status TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX predictions_model ON predictions (model, sequence);
  CREATE INDEX predictions_unfinished ON predictions (sequence)
    WHERE status IN ('starting', 'processing');
  `,
  // Keys get an allow-list of models, an end, a time of last use, and for a while the secret before a rotation.
  `
  ALTER TABLE keys ADD COLUMN models TEXT;
  ALTER TABLE keys ADD COLUMN expires_at TEXT;
  ALTER TABLE keys ADD COLUMN last_used_at TEXT;
  ALTER TABLE keys ADD COLUMN former_hash TEXT;
  ALTER TABLE keys ADD COLUMN former_expires_at TEXT;
  `,
  // Predictions are listed by time, forgotten some time after their end, and owe a webhook until it was delivered.
  `
  ALTER TABLE predictions ADD COLUMN created_at TEXT NOT NULL DEFAULT '';
  ALTER TABLE predictions ADD COLUMN completed_at TEXT;
  ALTER TABLE predictions ADD COLUMN owes_webhook INTEGER NOT NULL DEFAULT 0;
  UPDATE predictions SET created_at = json_extract(record, '$.createdAt'),
    completed_at = json_extract(record, '$.completedAt');
  CREATE INDEX predictions_completed ON predictions (completed_at) WHERE completed_at IS NOT NULL;
  CREATE INDEX predictions_owing ON predictions (sequence) WHERE owes_webhook = 1;
  `,
  // How long versions took to start, per way, and what each snapshot has saved: whether it pays is measured.
  `
  CREATE TABLE start_timings (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    mode TEXT NOT NULL,
    ms REAL NOT NULL,
    at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX start_timings_version ON start_timings (model_id, version, mode, sequence);

  CREATE TABLE snapshot_uses (
    snapshot_id TEXT NOT NULL,
    model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    restores INTEGER NOT NULL DEFAULT 0,
    saved_ms REAL NOT NULL DEFAULT 0,
    last_restored_at TEXT,
    PRIMARY KEY (snapshot_id, model_id, version)
  ) STRICT;
  `,
  // Secrets of models, sealed. They may be given before the model's first deploy, and go with it.
  `
  CREATE TABLE secrets (
    model_id TEXT NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('run', 'setup')),
    sealed BLOB NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (model_id, name)
  ) STRICT;
  CREATE TRIGGER secrets_go_with_model AFTER DELETE ON models BEGIN
    DELETE FROM secrets WHERE model_id = OLD.id;
  END;
  `,
];

/**
 * Brings a database to the newest schema; `PRAGMA user_version` counts the applied migrations.
 * @throws StoreError `database_too_new` when a newer byom wrote it: going on would lose what this one does not know.
 */
export function migrate(database: DatabaseSync): void {
  const applied = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (applied > migrations.length) {
    throw new StoreError(
      "database_too_new",
      `platform.db has schema ${applied}, this byom knows up to ${migrations.length}`,
      { hint: "run the byom version that wrote it, or a newer one" },
    );
  }
  for (const [index, sql] of migrations.entries()) {
    if (index < applied) continue;
    database.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}
