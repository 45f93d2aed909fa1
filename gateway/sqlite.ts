import type { DatabaseSync } from "node:sqlite";

/** All of `work` or nothing; within a transaction of the caller's it is a part of that. */
export function transaction<Result>(database: DatabaseSync, work: () => Result): Result {
  if (database.isTransaction) return work();
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/**
 * Brings a file's schema up to what this byom knows, each step whole; `PRAGMA user_version` counts them.
 * @throws what `tooNew` makes of a file that a newer byom wrote
 */
export function migrate(
  database: DatabaseSync,
  options: {
    readonly migrations: readonly string[];
    readonly tooNew: (applied: number) => Error;
  },
): void {
  const { migrations, tooNew } = options;
  const applied = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (applied > migrations.length) throw tooNew(applied);
  for (const [index, sql] of migrations.entries()) {
    if (index < applied) continue;
    database.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}
