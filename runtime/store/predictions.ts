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
}

/** An insert or update has returned only when it would survive kill -9. */
export interface StoredPredictions {
  insert(record: StoredPrediction): void;
  update(record: StoredPrediction): void;
  get(id: string): StoredPrediction | undefined;
  /** Newest first. */
  list(options: { limit: number; model?: string }): readonly StoredPrediction[];
  /** Those that were neither finished nor failed when the platform stopped, oldest first. */
  unfinished(): readonly StoredPrediction[];
}

export function createPredictionStore(database: Database): StoredPredictions {
  return {
    insert(record) {
      database.run(
        "INSERT INTO predictions (id, model, status, record) VALUES (?, ?, ?, ?)",
        record.id,
        record.model,
        record.status,
        JSON.stringify(record),
      );
    },
    update(record) {
      database.run(
        "UPDATE predictions SET status = ?, record = ? WHERE id = ?",
        record.status,
        JSON.stringify(record),
        record.id,
      );
    },
    get(id) {
      const row = database.get("SELECT record FROM predictions WHERE id = ?", id);
      return row === undefined ? undefined : parsePrediction(row);
    },
    list({ limit, model }) {
      const rows =
        model === undefined
          ? database.all("SELECT record FROM predictions ORDER BY sequence DESC LIMIT ?", limit)
          : database.all(
              "SELECT record FROM predictions WHERE model = ? ORDER BY sequence DESC LIMIT ?",
              model,
              limit,
            );
      return rows.map(parsePrediction);
    },
    unfinished: () =>
      database
        .all(
          "SELECT record FROM predictions WHERE status IN ('starting', 'processing') ORDER BY sequence",
        )
        .map(parsePrediction),
  };
}

function parsePrediction(row: Row): StoredPrediction {
  return JSON.parse(String(row["record"]));
}
