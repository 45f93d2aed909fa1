import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";

export type Row = Readonly<Record<string, unknown>>;

/** `platform.db` with prepared statements kept, and transactions that roll back when their work throws. */
export interface Database {
  run(sql: string, ...values: SQLInputValue[]): void;
  get(sql: string, ...values: SQLInputValue[]): Row | undefined;
  all(sql: string, ...values: SQLInputValue[]): readonly Row[];
  /** All of `work` or nothing; a transaction inside a transaction joins it. */
  transaction<Result>(work: () => Result): Result;
  readonly connection: DatabaseSync;
  close(): void;
}

/** A second process that only reads may hold a lock this long before a write gives up. */
const busyTimeoutMs = 5000;

/**
 * Opens a database so that a commit that has returned survives kill -9 and a power cut: WAL with synchronous=FULL
 * syncs the log at every commit (https://www.sqlite.org/pragma.html#pragma_synchronous).
 */
export function openDatabase(file: string): Database {
  const connection = new DatabaseSync(file);
  connection.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = ${busyTimeoutMs}`,
  );
  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = connection.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  return {
    connection,
    run(sql, ...values) {
      prepare(sql).run(...values);
    },
    get: (sql, ...values) => prepare(sql).get(...values),
    all: (sql, ...values) => prepare(sql).all(...values),
    transaction(work) {
      if (connection.isTransaction) return work();
      connection.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        connection.exec("COMMIT");
        return result;
      } catch (error) {
        if (connection.isTransaction) connection.exec("ROLLBACK");
        throw error;
      }
    },
    close() {
      statements.clear();
      if (connection.isOpen) connection.close();
    },
  };
}
