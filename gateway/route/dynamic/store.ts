import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { CatalogStoreError } from "../../catalog/store/errors.ts";
import { migrate, transaction } from "../../sqlite.ts";

/** One version of a route, as it is kept. */
export interface StoredVersion {
  readonly version: number;
  /** ISO 8601. */
  readonly createdAt: string;
  /** JSON. */
  readonly document: string;
}

export interface StoredRoute {
  readonly id: string;
  readonly name: string;
  /** The version that calls take. */
  readonly active: number;
  readonly createdAt: string;
  readonly modifiedAt: string;
}

/** A version that was put to use. */
export interface StoredDeployment {
  readonly id: string;
  readonly version: number;
  readonly createdAt: string;
}

/** Older versions and deployments are removed; the one in use never. */
export const versionsKept = 100;
const busyTimeoutMs = 5_000;
const directoryMode = 0o700;

/** Numbered by position, never edited after a release. */
const migrations: readonly string[] = [
  `CREATE TABLE routes (
     id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, active INTEGER NOT NULL,
     created_at TEXT NOT NULL, modified_at TEXT NOT NULL) STRICT;
   CREATE TABLE versions (
     route_id TEXT NOT NULL REFERENCES routes (id) ON DELETE CASCADE, version INTEGER NOT NULL,
     document TEXT NOT NULL, created_at TEXT NOT NULL, PRIMARY KEY (route_id, version)) STRICT;
   CREATE TABLE deployments (
     number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL,
     route_id TEXT NOT NULL REFERENCES routes (id) ON DELETE CASCADE,
     version INTEGER NOT NULL, created_at TEXT NOT NULL) STRICT;
   CREATE INDEX deployments_of_route ON deployments (route_id);
   CREATE TABLE limits (name TEXT PRIMARY KEY, document TEXT NOT NULL, updated_at TEXT NOT NULL) STRICT;`,
];

/**
 * `routes.db`: routes with their versions, and standing limits. A write that has returned survives kill -9 (WAL,
 * synchronous=FULL, as the catalog's file).
 */
export class RouteStore {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** @throws `CatalogStoreError` when the file cannot be used */
  static open(directory: string): RouteStore {
    mkdirSync(directory, { recursive: true, mode: directoryMode });
    const file = join(directory, "routes.db");
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(file);
      database.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = ${busyTimeoutMs}`,
      );
      migrate(database, { migrations, tooNew: (applied) => tooNew(file, applied) });
      return new RouteStore(database);
    } catch (error) {
      if (database?.isOpen === true) database.close();
      if (error instanceof CatalogStoreError) throw error;
      throw new CatalogStoreError(
        "catalog_unreadable",
        `${file} cannot be read: ${(error as Error).message}`,
        "put a backup in its place, or move it away: the routes and limits are gone then, the models stay",
        error,
      );
    }
  }

  routes(): readonly StoredRoute[] {
    return this.#database
      .prepare("SELECT id, name, active, created_at, modified_at FROM routes ORDER BY name")
      .all()
      .map((row) => ({
        id: text(row, "id"),
        name: text(row, "name"),
        active: Number(row["active"]),
        createdAt: text(row, "created_at"),
        modifiedAt: text(row, "modified_at"),
      }));
  }

  /** Newest first. */
  versions(routeId: string): readonly StoredVersion[] {
    return this.#database
      .prepare(
        "SELECT version, document, created_at FROM versions WHERE route_id = ? ORDER BY version DESC",
      )
      .all(routeId)
      .map(versionOf);
  }

  version(routeId: string, version: number): StoredVersion | undefined {
    const row = this.#database
      .prepare(
        "SELECT version, document, created_at FROM versions WHERE route_id = ? AND version = ?",
      )
      .get(routeId, version);
    return row === undefined ? undefined : versionOf(row);
  }

  /** Newest first. */
  deployments(routeId: string): readonly StoredDeployment[] {
    return this.#database
      .prepare(
        "SELECT id, version, created_at FROM deployments WHERE route_id = ? ORDER BY number DESC",
      )
      .all(routeId)
      .map((row) => ({
        id: text(row, "id"),
        version: Number(row["version"]),
        createdAt: text(row, "created_at"),
      }));
  }

  insertRoute(route: { readonly id: string; readonly name: string; readonly at: string }): void {
    this.#run(
      "INSERT INTO routes (id, name, active, created_at, modified_at) VALUES (?, ?, 0, ?, ?)",
      [route.id, route.name, route.at, route.at],
    );
  }

  /** Returns the number of the new version. */
  insertVersion(
    routeId: string,
    { document, at }: { readonly document: string; readonly at: string },
  ): number {
    const row = this.#database
      .prepare("SELECT coalesce(max(version), 0) + 1 AS next FROM versions WHERE route_id = ?")
      .get(routeId);
    const version = Number(row?.["next"] ?? 1);
    this.#run(
      "INSERT INTO versions (route_id, version, document, created_at) VALUES (?, ?, ?, ?)",
      [routeId, version, document, at],
    );
    this.#run(
      `DELETE FROM versions WHERE route_id = ?1 AND version <= ?2 - ${versionsKept}
         AND version <> (SELECT active FROM routes WHERE id = ?1)`,
      [routeId, version],
    );
    return version;
  }

  activate(
    routeId: string,
    to: { readonly deploymentId: string; readonly version: number; readonly at: string },
  ): void {
    this.#run("UPDATE routes SET active = ?, modified_at = ? WHERE id = ?", [
      to.version,
      to.at,
      routeId,
    ]);
    this.#run("INSERT INTO deployments (id, route_id, version, created_at) VALUES (?, ?, ?, ?)", [
      to.deploymentId,
      routeId,
      to.version,
      to.at,
    ]);
    this.#run(
      `DELETE FROM deployments WHERE route_id = ?1 AND number <= (SELECT number FROM deployments
         WHERE route_id = ?1 ORDER BY number DESC LIMIT 1 OFFSET ${versionsKept})`,
      [routeId],
    );
  }

  rename(routeId: string, to: { readonly name: string; readonly at: string }): void {
    this.#run("UPDATE routes SET name = ?, modified_at = ? WHERE id = ?", [
      to.name,
      to.at,
      routeId,
    ]);
  }

  deleteRoute(routeId: string): void {
    this.#run("DELETE FROM routes WHERE id = ?", [routeId]);
  }

  limits(): readonly { readonly name: string; readonly document: string }[] {
    return this.#database
      .prepare("SELECT name, document FROM limits ORDER BY name")
      .all()
      .map((row) => ({ name: text(row, "name"), document: text(row, "document") }));
  }

  setLimit(limit: { readonly name: string; readonly document: string; readonly at: string }): void {
    this.#run("INSERT OR REPLACE INTO limits (name, document, updated_at) VALUES (?, ?, ?)", [
      limit.name,
      limit.document,
      limit.at,
    ]);
  }

  deleteLimit(name: string): void {
    this.#run("DELETE FROM limits WHERE name = ?", [name]);
  }

  /** All of `work` or nothing. */
  transaction<Result>(work: () => Result): Result {
    return transaction(this.#database, work);
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #run(sql: string, values: readonly (string | number)[]): void {
    this.#database.prepare(sql).run(...values);
  }
}

function text(row: Readonly<Record<string, unknown>>, name: string): string {
  return String(row[name]);
}

function versionOf(row: Readonly<Record<string, unknown>>): StoredVersion {
  return {
    version: Number(row["version"]),
    createdAt: text(row, "created_at"),
    document: text(row, "document"),
  };
}

function tooNew(file: string, applied: number): CatalogStoreError {
  return new CatalogStoreError(
    "catalog_too_new",
    `${file} has schema ${applied}, this byom knows up to ${migrations.length}`,
    "run the byom version that wrote it, or a newer one",
  );
}
