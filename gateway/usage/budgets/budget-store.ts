import { DatabaseSync, type StatementSync } from "node:sqlite";

import { z } from "zod";

import { transaction } from "../../sqlite.ts";
import { namedWindows, type Budget, type BudgetScope, type Selection } from "./budget.ts";

/** A threshold that was reached: once for each window, value and limit. */
export interface ReachedThreshold {
  readonly budgetId: string;
  /** Of the budget's partitions. */
  readonly partition: readonly string[];
  readonly windowStartMs: number;
  /** In per cent. */
  readonly threshold: number;
  readonly limitNanoUsd: number;
  readonly spentNanoUsd: number;
  /** Milliseconds since the epoch. */
  readonly reachedAtMs: number;
}

/** Budgets and the thresholds that were reached, durable over a kill when a method has returned. */
export interface BudgetStore {
  budgets(): readonly Budget[];
  put(budget: Budget): void;
  remove(id: string): void;
  /** Whether it is news. `isOwed`: somebody is to be told. */
  reach(threshold: ReachedThreshold, options: { readonly isOwed: boolean }): boolean;
  /** Nobody has to be told of it any more. */
  settle(threshold: ReachedThreshold): void;
  /** Of which somebody still has to be told. */
  owed(): readonly ReachedThreshold[];
  /** Of at least this many per cent in windows since then. */
  reachedSince(
    budgetId: string,
    options: { readonly threshold: number; readonly windowStartMs: number },
  ): readonly ReachedThreshold[];
  close(): void;
}

const schema = `
CREATE TABLE budgets (id TEXT PRIMARY KEY, record TEXT NOT NULL, updated_at TEXT NOT NULL) STRICT;
CREATE TABLE thresholds (
  budget TEXT NOT NULL, partition TEXT NOT NULL, window_start INTEGER NOT NULL, threshold INTEGER NOT NULL,
  limit_nano_usd INTEGER NOT NULL, spent_nano_usd INTEGER NOT NULL, reached_at INTEGER NOT NULL,
  is_owed INTEGER NOT NULL,
  PRIMARY KEY (budget, partition, window_start, threshold, limit_nano_usd)
) STRICT;
CREATE INDEX owed_thresholds ON thresholds (is_owed) WHERE is_owed = 1;
`;
const schemaVersion = 1;
const busyTimeoutMs = 5_000;
/** Longer than the longest window. */
const thresholdRetentionMs: number = 400 * 24 * 3_600_000;

const selection: z.ZodType<Selection> = z.discriminatedUnion("mode", [
  z.strictObject({ mode: z.literal("filter"), values: z.array(z.string()) }),
  z.strictObject({ mode: z.literal("partition") }),
]);
const scope: z.ZodType<BudgetScope> = z.strictObject({
  key: selection.exactOptional(),
  model: selection.exactOptional(),
  provider: selection.exactOptional(),
  route: selection.exactOptional(),
  metadata: z.record(z.string(), selection).exactOptional(),
});
const budgetSchema: z.ZodType<Budget> = z.strictObject({
  id: z.string(),
  limitNanoUsd: z.int().nonnegative(),
  window: z.union([z.enum(namedWindows), z.int().positive()]),
  technique: z.enum(["fixed", "sliding"]),
  enabled: z.boolean(),
  scope,
  alerts: z.strictObject({ thresholds: z.array(z.int()), url: z.string().exactOptional() }),
  createdAt: z.string(),
});

/** Opens `budgets.db`; it is made when it is missing. `clock`: milliseconds since the epoch. */
export function openBudgetStore(path: string, clock: () => number): BudgetStore {
  const database = openFile(path);
  const statements = prepare(database);
  statements.forget.run(clock() - thresholdRetentionMs);
  const now = (): string => new Date(clock()).toISOString();
  return {
    budgets: () =>
      statements.all.all().map((row) => budgetSchema.parse(JSON.parse(String(row["record"])))),
    put: (budget) => void statements.put.run(budget.id, JSON.stringify(budget), now()),
    remove: (id) =>
      transaction(database, () => {
        statements.remove.run(id);
        statements.removeThresholds.run(id);
      }),
    reach(threshold, { isOwed }) {
      const { spentNanoUsd, reachedAtMs } = threshold;
      const values = [...keyOf(threshold), spentNanoUsd, reachedAtMs, isOwed ? 1 : 0];
      return Number(statements.reach.run(...values).changes) > 0;
    },
    settle: (threshold) => void statements.settle.run(...keyOf(threshold)),
    owed: () => statements.owed.all().map(readThreshold),
    reachedSince: (budgetId, { threshold, windowStartMs }) =>
      statements.since.all(budgetId, threshold, windowStartMs).map(readThreshold),
    close() {
      if (database.isOpen) database.close();
    },
  };
}

function openFile(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  // A commit survives a kill; a power cut may take the last ones, which the ledger's sums bring back.
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = ${busyTimeoutMs}`,
  );
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version > schemaVersion) {
    database.close();
    throw new Error(`${path} was written by a newer byom (schema ${version}); run that one`);
  }
  if (version === 0) {
    database.exec(`BEGIN IMMEDIATE; ${schema} PRAGMA user_version = ${schemaVersion}; COMMIT`);
  }
  return database;
}

type Statements = Readonly<
  Record<
    | "all"
    | "put"
    | "remove"
    | "removeThresholds"
    | "reach"
    | "settle"
    | "owed"
    | "since"
    | "forget",
    StatementSync
  >
>;

function prepare(database: DatabaseSync): Statements {
  const key =
    "budget = ? AND partition = ? AND window_start = ? AND threshold = ? AND limit_nano_usd = ?";
  return {
    all: database.prepare("SELECT record FROM budgets ORDER BY id"),
    put: database.prepare("INSERT OR REPLACE INTO budgets VALUES (?, ?, ?)"),
    remove: database.prepare("DELETE FROM budgets WHERE id = ?"),
    removeThresholds: database.prepare("DELETE FROM thresholds WHERE budget = ?"),
    reach: database.prepare(
      "INSERT OR IGNORE INTO thresholds (budget, partition, window_start, threshold, limit_nano_usd, spent_nano_usd, reached_at, is_owed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    settle: database.prepare(`UPDATE thresholds SET is_owed = 0 WHERE ${key}`),
    owed: database.prepare("SELECT * FROM thresholds WHERE is_owed = 1 ORDER BY reached_at"),
    since: database.prepare(
      "SELECT * FROM thresholds WHERE budget = ? AND threshold >= ? AND window_start >= ?",
    ),
    forget: database.prepare("DELETE FROM thresholds WHERE reached_at < ?"),
  };
}

function keyOf(threshold: ReachedThreshold): readonly [string, string, number, number, number] {
  const { budgetId, partition, windowStartMs, threshold: percent, limitNanoUsd } = threshold;
  return [budgetId, JSON.stringify(partition), windowStartMs, percent, limitNanoUsd];
}

function readThreshold(row: Readonly<Record<string, unknown>>): ReachedThreshold {
  return {
    budgetId: String(row["budget"]),
    partition: JSON.parse(String(row["partition"])) as readonly string[],
    windowStartMs: Number(row["window_start"]),
    threshold: Number(row["threshold"]),
    limitNanoUsd: Number(row["limit_nano_usd"]),
    spentNanoUsd: Number(row["spent_nano_usd"]),
    reachedAtMs: Number(row["reached_at"]),
  };
}
