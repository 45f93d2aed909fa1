import type { Database, Row } from "./database.ts";

/** A version on its way up: starts are counted for each by itself. */
export interface StartSubject {
  readonly modelId: string;
  readonly version: number;
}

export interface StartRow {
  readonly mode: "cold" | "restored";
  readonly ms: number;
  /** ISO 8601. */
  readonly at: string;
}

/** What one version's snapshot has been good for. */
export interface SnapshotUse extends StartSubject {
  readonly snapshotId: string;
  readonly restores: number;
  /** Against the cold starts that they replaced; negative where restores were slower. */
  readonly savedMs: number;
  /** ISO 8601. */
  readonly lastRestoredAt?: string;
}

/** Times of starts and uses of snapshots. They go with their model. */
export interface StartStore {
  /** Keeps the newest `kept` of a mode. Nothing happens for a model that is gone. */
  add(subject: StartSubject, row: StartRow, kept: number): void;
  /** Newest first. */
  list(subject: StartSubject, mode: StartRow["mode"]): readonly StartRow[];
  forget(subject: StartSubject, modes: readonly StartRow["mode"][]): void;
  /** Remembers which version a snapshot was taken of, before it is of any use. */
  addSnapshot(subject: StartSubject, snapshotId: string): void;
  addUse(use: Omit<SnapshotUse, "restores"> & { readonly lastRestoredAt: string }): void;
  /** Of one snapshot or of all. */
  uses(snapshotId?: string): readonly SnapshotUse[];
  usesOf(subject: StartSubject): readonly SnapshotUse[];
  removeSnapshot(snapshotId: string): void;
}

export function createStartStore(database: Database): StartStore {
  return { ...createTimings(database), ...createUses(database) };
}

function createTimings(database: Database): Pick<StartStore, "add" | "list" | "forget"> {
  return {
    add({ modelId, version }, { mode, ms, at }, kept) {
      database.transaction(() => {
        database.run(
          `INSERT INTO start_timings (model_id, version, mode, ms, at)
           SELECT id, ?, ?, ?, ? FROM models WHERE id = ?`,
          version,
          mode,
          ms,
          at,
          modelId,
        );
        database.run(
          `DELETE FROM start_timings WHERE model_id = ?1 AND version = ?2 AND mode = ?3
           AND sequence NOT IN (SELECT sequence FROM start_timings
             WHERE model_id = ?1 AND version = ?2 AND mode = ?3 ORDER BY sequence DESC LIMIT ?4)`,
          modelId,
          version,
          mode,
          kept,
        );
      });
    },
    list: ({ modelId, version }, mode) =>
      database
        .all(
          `SELECT mode, ms, at FROM start_timings
           WHERE model_id = ? AND version = ? AND mode = ? ORDER BY sequence DESC`,
          modelId,
          version,
          mode,
        )
        .map((row) => ({ mode, ms: Number(row["ms"]), at: String(row["at"]) })),
    forget({ modelId, version }, modes) {
      for (const mode of modes) {
        database.run(
          "DELETE FROM start_timings WHERE model_id = ? AND version = ? AND mode = ?",
          modelId,
          version,
          mode,
        );
      }
    },
  };
}

function createUses(database: Database): Omit<StartStore, "add" | "list" | "forget"> {
  return {
    addSnapshot({ modelId, version }, snapshotId) {
      database.run(
        `INSERT OR IGNORE INTO snapshot_uses (snapshot_id, model_id, version)
         SELECT ?, id, ? FROM models WHERE id = ?`,
        snapshotId,
        version,
        modelId,
      );
    },
    addUse({ snapshotId, modelId, version, savedMs, lastRestoredAt }) {
      database.run(
        `INSERT INTO snapshot_uses (snapshot_id, model_id, version, restores, saved_ms, last_restored_at)
         SELECT ?, id, ?, 1, ?, ? FROM models WHERE id = ?
         ON CONFLICT (snapshot_id, model_id, version) DO UPDATE SET restores = restores + 1,
           saved_ms = saved_ms + excluded.saved_ms, last_restored_at = excluded.last_restored_at`,
        snapshotId,
        version,
        savedMs,
        lastRestoredAt,
        modelId,
      );
    },
    uses: (snapshotId) =>
      (snapshotId === undefined
        ? database.all("SELECT * FROM snapshot_uses ORDER BY model_id, version")
        : database.all("SELECT * FROM snapshot_uses WHERE snapshot_id = ?", snapshotId)
      ).map(parseUse),
    usesOf: ({ modelId, version }) =>
      database
        .all("SELECT * FROM snapshot_uses WHERE model_id = ? AND version = ?", modelId, version)
        .map(parseUse),
    removeSnapshot(snapshotId) {
      database.run("DELETE FROM snapshot_uses WHERE snapshot_id = ?", snapshotId);
    },
  };
}

function parseUse(row: Row): SnapshotUse {
  const lastRestoredAt = row["last_restored_at"];
  return {
    snapshotId: String(row["snapshot_id"]),
    modelId: String(row["model_id"]),
    version: Number(row["version"]),
    restores: Number(row["restores"]),
    savedMs: Number(row["saved_ms"]),
    ...(typeof lastRestoredAt === "string" ? { lastRestoredAt } : {}),
  };
}
