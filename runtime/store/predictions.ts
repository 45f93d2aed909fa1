import type { Database, Row } from "./database.ts";

/** A prediction as it is kept: Replicate's fields and states. */
export interface StoredPrediction {
  readonly id: string;
  readonly model: string;
  readonly version: number;
  readonly status: "starting" | "processing" | "succeeded" | "failed" | "canceled" | "aborted";
  readonly input: Readonly<Record<string, unknown>>;
  readonly output?: unknown;
  readonly error?: string;
  readonly logs: string;
  readonly metrics: Readonly<Record<string, unknown>>;
  /** ISO 8601, as the other times. */
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly completedAt?: string;
  readonly keyId?: string;
  readonly pinnedVersion?: number;
  readonly context?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
  readonly deadline?: string;
  readonly deployment?: string;
  readonly webhook?: StoredWebhook;
}

/** Who is told how a prediction goes. */
export interface StoredWebhook {
  readonly url: string;
  readonly events: readonly ("start" | "output" | "logs" | "completed")[];
  readonly format: "replicate" | "cog";
  readonly baseUrl: string;
}

export interface StoredPredictionListOptions {
  readonly limit: number;
  readonly model?: string;
  /** Id: only older ones. */
  readonly before?: string;
  /** Id: the ones that came next after it. */
  readonly after?: string;
  readonly createdAfter?: string;
  readonly createdBefore?: string;
  /** Of the records together; one is returned whatever its size, for inputs may be large. Default: no bound. */
  readonly bytesMax?: number;
}

/** An insert or update has returned only when it would survive kill -9. */
export interface StoredPredictions {
  insert(record: StoredPrediction): void;
  update(record: StoredPrediction): void;
  get(id: string): StoredPrediction | undefined;
  /** Newest first. */
  list(options: StoredPredictionListOptions): readonly StoredPrediction[];
  /** Those that were neither finished nor failed when the platform stopped, oldest first. */
  unfinished(): readonly StoredPrediction[];
  /** Ids of finished ones whose completed webhook has not been settled, oldest first. */
  owingWebhooks(): readonly string[];
  settleWebhooks(ids: readonly string[]): void;
  /** Removes up to `limit` finished ones that ended before a time or are beyond the newest `keepMax`; returns how many. */
  prune(options: {
    readonly completedBefore: string;
    readonly keepMax: number;
    readonly limit: number;
  }): number;
}

export function createPredictionStore(database: Database): StoredPredictions {
  return {
    insert(record) {
      database.run(
        `INSERT INTO predictions (id, model, status, record, created_at, completed_at, owes_webhook)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        record.id,
        record.model,
        record.status,
        JSON.stringify(record),
        record.createdAt,
        record.completedAt ?? null,
        record.webhook?.events.includes("completed") === true ? 1 : 0,
      );
    },
    update(record) {
      database.run(
        "UPDATE predictions SET status = ?, record = ?, completed_at = ? WHERE id = ?",
        record.status,
        JSON.stringify(record),
        record.completedAt ?? null,
        record.id,
      );
    },
    get(id) {
      const row = database.get("SELECT record FROM predictions WHERE id = ?", id);
      return row === undefined ? undefined : parsePrediction(row);
    },
    list: (options) => list(database, options),
    unfinished: () =>
      database
        .all(
          "SELECT record FROM predictions WHERE status IN ('starting', 'processing') ORDER BY sequence",
        )
        .map(parsePrediction),
    owingWebhooks: () =>
      database
        .all(
          "SELECT id FROM predictions WHERE owes_webhook = 1 AND completed_at IS NOT NULL ORDER BY sequence",
        )
        .map((row) => String(row["id"])),
    settleWebhooks(ids) {
      database.transaction(() => {
        for (const id of ids) {
          database.run("UPDATE predictions SET owes_webhook = 0 WHERE id = ?", id);
        }
      });
    },
    prune: (options) => prune(database, options),
  };
}

function list(
  database: Database,
  options: StoredPredictionListOptions,
): readonly StoredPrediction[] {
  const { limit, model, before, after, createdAfter, createdBefore } = options;
  const sequenceOf = "(SELECT sequence FROM predictions WHERE id = ?)";
  const conditions: readonly (readonly [string, string | undefined])[] = [
    ["model = ?", model],
    [`sequence < ${sequenceOf}`, before],
    [`sequence > ${sequenceOf}`, after],
    ["created_at >= ?", createdAfter],
    ["created_at < ?", createdBefore],
  ];
  const given = conditions.filter(([, value]) => value !== undefined);
  const where = given.length === 0 ? "" : `WHERE ${given.map(([sql]) => sql).join(" AND ")}`;
  // Next after one means its neighbours: read towards the newer end, then turned round.
  const order = after === undefined ? "DESC" : "ASC";
  const values = given.map(([, value]) => value ?? null);
  const sizes = database.all(
    `SELECT sequence, octet_length(record) AS size FROM predictions ${where}
     ORDER BY sequence ${order} LIMIT ?`,
    ...values,
    limit,
  );
  const records: StoredPrediction[] = [];
  let bytes = 0;
  for (const { sequence, size } of sizes) {
    bytes += Number(size);
    if (records.length > 0 && bytes > (options.bytesMax ?? Number.POSITIVE_INFINITY)) break;
    const row = database.get("SELECT record FROM predictions WHERE sequence = ?", Number(sequence));
    if (row !== undefined) records.push(parsePrediction(row));
  }
  return after === undefined ? records : records.toReversed();
}

function prune(
  database: Database,
  options: { readonly completedBefore: string; readonly keepMax: number; readonly limit: number },
): number {
  const { completedBefore, keepMax, limit } = options;
  return database.transaction(() => {
    const removed = changes(
      database,
      `DELETE FROM predictions WHERE sequence IN
         (SELECT sequence FROM predictions WHERE completed_at < ? LIMIT ?)`,
      completedBefore,
      limit,
    );
    if (removed === limit) return removed;
    const count = database.get(
      "SELECT count(*) AS count FROM predictions WHERE completed_at IS NOT NULL",
    );
    const surplus = Math.min(Number(count?.["count"] ?? 0) - keepMax, limit - removed);
    if (surplus <= 0) return removed;
    return (
      removed +
      changes(
        database,
        `DELETE FROM predictions WHERE sequence IN (SELECT sequence FROM predictions
           WHERE completed_at IS NOT NULL ORDER BY completed_at LIMIT ?)`,
        surplus,
      )
    );
  });
}

/** Runs a statement and tells how many rows it changed. */
function changes(database: Database, sql: string, ...values: (string | number)[]): number {
  database.run(sql, ...values);
  return Number(database.get("SELECT changes() AS count")?.["count"] ?? 0);
}

function parsePrediction(row: Row): StoredPrediction {
  return JSON.parse(String(row["record"]));
}
