import { DatabaseSync } from "node:sqlite";

import { migrate } from "../../sqlite.ts";
import { CatalogStoreError } from "./errors.ts";

/** Records by id, one table a kind: what they hold is checked by the schema that reads them. */
export const tableNames = [
  "models",
  "hidden",
  "aliases",
  "prices",
  "metadata",
  "providers",
  "secrets",
  "sheets",
] as const;
export type TableName = (typeof tableNames)[number];

/** Numbered by position, applied once each, never edited after a release: a change is a new entry at the end. */
const migrations: readonly string[] = [
  tableNames
    .map(
      (name) =>
        `CREATE TABLE ${name} (id TEXT PRIMARY KEY, record TEXT NOT NULL, updated_at TEXT NOT NULL) STRICT;`,
    )
    .join("\n"),
];

/** A second process that only reads may hold a lock this long before a write gives up. */
const busyTimeoutMs = 5_000;

/**
 * Opens the catalog's file so that a write that has returned survives kill -9 and a power cut: WAL with
 * synchronous=FULL syncs the log at every commit (https://www.sqlite.org/pragma.html#pragma_synchronous).
 * @throws CatalogStoreError `catalog_unreadable`; `catalog_too_new` when a newer byom wrote it
 */
export function openDatabase(file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    database.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = ${busyTimeoutMs}`,
    );
    migrate(database, { migrations, tooNew: (applied) => tooNew(file, applied) });
    return database;
  } catch (error) {
    if (database?.isOpen === true) database.close();
    if (error instanceof CatalogStoreError) throw error;
    throw new CatalogStoreError(
      "catalog_unreadable",
      `${file} is not a catalog that can be read: ${(error as Error).message}`,
      "put a backup in its place, or move it away: the deployed models stay, what was added to the catalog is gone",
      error,
    );
  }
}

function tooNew(file: string, applied: number): CatalogStoreError {
  return new CatalogStoreError(
    "catalog_too_new",
    `${file} has schema ${applied}, this byom knows up to ${migrations.length}`,
    "run the byom version that wrote it, or a newer one",
  );
}
