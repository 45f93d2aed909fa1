import { DatabaseSync } from "node:sqlite";

import type { Item } from "./items.ts";
import type { ResponseFacts } from "./request.ts";

/** A response as it is kept: what was asked, and once it has ended, what came of it. */
export interface StoredResponse {
  /** `resp_` and the id of its prediction. */
  readonly id: string;
  readonly predictionId: string;
  /** The model's id in the catalog; the caller may have named it otherwise. */
  readonly modelId: string;
  readonly keyId?: string;
  /** Seconds since the epoch. */
  readonly createdAt: number;
  readonly facts: ResponseFacts;
  readonly input: readonly Item[];
  /** Absent while it runs. */
  readonly end?: ResponseEnd;
}

export interface ResponseEnd {
  readonly status: "completed" | "incomplete" | "failed" | "cancelled";
  readonly output: readonly Item[];
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly incompleteReason: "max_output_tokens" | "content_filter" | null;
  readonly usage: Item | null;
  /** Seconds since the epoch. */
  readonly completedAt: number;
  /** `sequence_number` of the last event of its stream. */
  readonly lastSequence: number;
}

/** Responses that can be read again; on disk, so that they outlive the process. */
export interface ResponseStore {
  /** Keeps one; with `isDurable` it has returned only when the response would survive a power cut as well. */
  put(response: StoredResponse, options?: { readonly isDurable: boolean }): void;
  get(id: string): StoredResponse | undefined;
  delete(id: string): boolean;
  unfinished(): readonly StoredResponse[];
  close(): void;
}

/** OpenAI keeps responses for at least 30 days. */
export const responseRetentionMs: number = 30 * 24 * 60 * 60_000;
/** Between two looks for those whose time has passed. */
const pruneIntervalMs = 60 * 60_000;

/** Opens the store in a file that is made when it is missing. */
export function openResponseStore(options: {
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}): ResponseStore {
  const database = new DatabaseSync(options.path);
  // With NORMAL a commit survives kill -9 without waiting for the disk; an answer must not wait for it.
  database.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000",
  );
  database.exec(`
    CREATE TABLE IF NOT EXISTS responses (
      id TEXT PRIMARY KEY, created_at INTEGER NOT NULL, is_finished INTEGER NOT NULL, record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS responses_by_age ON responses (created_at);
    CREATE INDEX IF NOT EXISTS responses_unfinished ON responses (is_finished) WHERE is_finished = 0;
  `);
  const insert = database.prepare(
    "INSERT OR REPLACE INTO responses (id, created_at, is_finished, record) VALUES (?, ?, ?, ?)",
  );
  const select = database.prepare("SELECT record FROM responses WHERE id = ? AND created_at > ?");
  const remove = database.prepare("DELETE FROM responses WHERE id = ?");
  const removeOld = database.prepare("DELETE FROM responses WHERE created_at <= ?");
  const selectUnfinished = database.prepare("SELECT record FROM responses WHERE is_finished = 0");
  const oldest = (): number => Math.floor((options.clock() - responseRetentionMs) / 1000);
  let prunedAt = 0;
  const prune = (): void => {
    if (options.clock() - prunedAt < pruneIntervalMs) return;
    prunedAt = options.clock();
    removeOld.run(oldest());
  };
  prune();
  return {
    put(response, { isDurable } = { isDurable: false }) {
      prune();
      if (isDurable) database.exec("PRAGMA synchronous = FULL");
      try {
        const isFinished = response.end === undefined ? 0 : 1;
        insert.run(response.id, response.createdAt, isFinished, JSON.stringify(response));
      } finally {
        if (isDurable) database.exec("PRAGMA synchronous = NORMAL");
      }
    },
    get(id) {
      const row = select.get(id, oldest());
      return row === undefined ? undefined : parseRow(row);
    },
    delete: (id) => Number(remove.run(id).changes) > 0,
    unfinished: () => selectUnfinished.all().map(parseRow),
    close() {
      if (database.isOpen) database.close();
    },
  };
}

function parseRow(row: Readonly<Record<string, unknown>>): StoredResponse {
  return JSON.parse(String(row["record"])) as StoredResponse;
}
