import type { DatabaseSync, StatementSync } from "node:sqlite";

import type { Condition, LogField } from "./condition.ts";
import { openLogDatabase } from "./database.ts";
import type { LogEntry } from "./entry.ts";
import { columnOf, renderWhere } from "./sql.ts";
import { logCountMax, logDeleteBatch } from "../limits.ts";
import type { Retention } from "./settings.ts";

/** An entry with the payload's JSON texts, as it is written. */
export interface WrittenEntry {
  readonly entry: LogEntry;
  readonly input?: string;
  readonly output?: string;
}

export interface LogSearch {
  readonly conditions: readonly Condition[];
  readonly limit: number;
  /** Only entries beyond this number: older ones, or newer ones when `isAscending`. */
  readonly beyond?: number;
  readonly isAscending?: boolean;
  /** By another field than the order in which calls ended; then pages are counted (`offset`). */
  readonly orderBy?: LogField;
  readonly offset?: number;
}

export interface FoundEntries {
  /** Entries as JSON. */
  readonly entries: readonly string[];
  /** Where the next page begins; absent: there is none. */
  readonly next?: number;
}

export interface LogPayload {
  readonly input: unknown;
  readonly output: unknown;
}

export interface LogRemark {
  readonly feedback?: number | null;
  readonly score?: number | null;
  /** Merged into what is there. */
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
}

/** The file of the log; everything here blocks, so it is a worker's. */
export class LogStore {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare> | undefined;
  #entries = 0;

  constructor(path: string, options: { readonly isReader: boolean }) {
    this.#path = path;
    this.#database = openLogDatabase(path, options);
    if (options.isReader) return;
    this.#statements = prepare(this.#database);
    this.#entries = Number(this.#database.prepare("SELECT count(*) AS n FROM calls").get()?.["n"]);
  }

  /** All of them in one transaction. An id that is there already is replaced: the later word about a call counts. */
  insert(written: readonly WrittenEntry[]): void {
    this.#transaction(() => {
      for (const one of written) this.#insert(one);
    });
  }

  search(search: LogSearch): FoundEntries {
    const { conditions, limit, beyond, isAscending = false, orderBy, offset = 0 } = search;
    const where = renderWhere(conditions);
    const direction = isAscending ? "ASC" : "DESC";
    const order = orderBy === undefined ? "" : `${columnOf(orderBy)} ${direction}, `;
    const from = beyond === undefined ? "" : ` AND seq ${isAscending ? ">" : "<"} ?`;
    const rows = this.#database
      .prepare(
        `SELECT seq, entry FROM calls WHERE ${where.sql}${from} ORDER BY ${order}seq ${direction} LIMIT ? OFFSET ?`,
      )
      .all(...where.parameters, ...(beyond === undefined ? [] : [beyond]), limit + 1, offset);
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      entries: page.map((row) => String(row["entry"])),
      ...(rows.length > limit && last !== undefined && { next: Number(last["seq"]) }),
    };
  }

  /** How many fit, up to `logCountMax`. */
  count(conditions: readonly Condition[]): number {
    const { sql, parameters } = renderWhere(conditions);
    const row = this.#database
      .prepare(`SELECT count(*) AS n FROM (SELECT 1 FROM calls WHERE ${sql} LIMIT ${logCountMax})`)
      .get(...parameters);
    return Number(row?.["n"] ?? 0);
  }

  get(id: string): string | undefined {
    const row = this.#database.prepare("SELECT entry FROM calls WHERE id = ?").get(id);
    return row === undefined ? undefined : String(row["entry"]);
  }

  payload(id: string): LogPayload | undefined {
    const row = this.#database
      .prepare(
        "SELECT input, output FROM texts JOIN calls USING (seq) WHERE id = ? AND has_payload = 1",
      )
      .get(id);
    if (row === undefined) return undefined;
    return { input: JSON.parse(String(row["input"])), output: JSON.parse(String(row["output"])) };
  }

  /** The entry as it is now; undefined when there is none. */
  remark(id: string, remark: LogRemark): string | undefined {
    return this.#transaction(() => {
      const row = this.#database.prepare("SELECT seq, entry FROM calls WHERE id = ?").get(id);
      if (row === undefined) return undefined;
      const entry = withRemark(JSON.parse(String(row["entry"])) as LogEntry, remark);
      const text = JSON.stringify(entry);
      const seq = Number(row["seq"]);
      this.#database
        .prepare("UPDATE calls SET feedback = ?, score = ?, entry = ? WHERE seq = ?")
        .run(entry.feedback ?? null, entry.score ?? null, text, seq);
      if (remark.metadata !== undefined) {
        this.#prepared.deleteMetadata.run(seq);
        this.#insertMetadata(seq, entry);
      }
      return text;
    });
  }

  /** Deletes one batch of what fits; returns how many. Zero: nothing is left, and nothing of it lies in the file. */
  deleteBatch(conditions: readonly Condition[], limit: number = logDeleteBatch): number {
    const { sql, parameters } = renderWhere(conditions);
    const deleted = this.#transaction(() => {
      const rows = this.#database
        .prepare(`SELECT seq FROM calls WHERE ${sql} ORDER BY seq LIMIT ?`)
        .all(...parameters, limit);
      for (const row of rows) this.#delete(Number(row["seq"]));
      return rows.length;
    });
    // What was deleted still stands in the log of changes until that is written to its place.
    if (deleted === 0) this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    return deleted;
  }

  /** Forgets one batch of what is too old or too much; returns how many. */
  prune({ days, entries, bytes }: Retention, nowMs: number): number {
    const tooMany = this.#entries - entries;
    if (tooMany > 0) return this.#deleteOldest(Math.min(tooMany, logDeleteBatch));
    const oldestMs = nowMs - days * 24 * 60 * 60_000;
    const tooOld = this.#database
      .prepare("SELECT 1 FROM calls WHERE began_at < ? LIMIT 1")
      .get(oldestMs);
    if (tooOld !== undefined) {
      return this.deleteBatch([
        { kind: "field", field: "createdAt", operator: "lt", values: [oldestMs] },
      ]);
    }
    return this.usedBytes() > bytes ? this.#deleteOldest(logDeleteBatch) : 0;
  }

  /** Bytes of the file that hold something. */
  usedBytes(): number {
    const read = (pragma: string): number =>
      Number(Object.values(this.#database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0] ?? 0);
    return (read("page_count") - read("freelist_count")) * read("page_size");
  }

  get entries(): number {
    return this.#entries;
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  get #prepared(): ReturnType<typeof prepare> {
    if (this.#statements === undefined) throw new Error(`${this.#path} is open for reading only`);
    return this.#statements;
  }

  #insert({ entry, input, output }: WrittenEntry): void {
    const { insertCall, insertText, insertWords } = this.#prepared;
    const known = this.#prepared.seqOf.get(entry.id);
    if (known !== undefined) this.#delete(Number(known["seq"]));
    const { lastInsertRowid } = insertCall.run(...columnsOf(entry));
    const seq = Number(lastInsertRowid);
    this.#entries += 1;
    this.#insertMetadata(seq, entry);
    if (entry.error === undefined && !entry.hasPayload) return;
    const texts = [entry.error ?? "", input ?? "", output ?? ""] as const;
    insertText.run(seq, ...texts, Number(entry.hasPayload));
    insertWords.run(seq, ...texts);
  }

  #insertMetadata(seq: number, { metadata }: LogEntry): void {
    for (const key in metadata) {
      this.#prepared.insertMetadata.run(key, String(metadata[key]), seq);
    }
  }

  #delete(seq: number): void {
    const { deleteWords, deleteText, deleteMetadata, deleteCall } = this.#prepared;
    // The index of words forgets only what it is told that it knows.
    deleteWords.run(seq);
    deleteText.run(seq);
    deleteMetadata.run(seq);
    deleteCall.run(seq);
    this.#entries -= 1;
  }

  #deleteOldest(count: number): number {
    return this.deleteBatch([], count);
  }

  #transaction<Result>(work: () => Result): Result {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}

function prepare(
  database: DatabaseSync,
): Readonly<
  Record<
    | "insertCall"
    | "insertText"
    | "insertWords"
    | "insertMetadata"
    | "deleteWords"
    | "deleteText"
    | "deleteMetadata"
    | "deleteCall"
    | "seqOf",
    StatementSync
  >
> {
  const names = callColumns.join(", ");
  const marks = callColumns.map(() => "?").join(", ");
  return {
    insertCall: database.prepare(`INSERT INTO calls (${names}) VALUES (${marks})`),
    insertText: database.prepare(
      "INSERT INTO texts (seq, error, input, output, has_payload) VALUES (?, ?, ?, ?, ?)",
    ),
    insertWords: database.prepare(
      "INSERT INTO words (rowid, error, input, output) VALUES (?, ?, ?, ?)",
    ),
    insertMetadata: database.prepare(
      "INSERT OR IGNORE INTO call_metadata (key, value, seq) VALUES (?, ?, ?)",
    ),
    deleteWords: database.prepare(
      "INSERT INTO words (words, rowid, error, input, output) SELECT 'delete', seq, error, input, output FROM texts WHERE seq = ?",
    ),
    deleteText: database.prepare("DELETE FROM texts WHERE seq = ?"),
    deleteMetadata: database.prepare("DELETE FROM call_metadata WHERE seq = ?"),
    deleteCall: database.prepare("DELETE FROM calls WHERE seq = ?"),
    seqOf: database.prepare("SELECT seq FROM calls WHERE id = ?"),
  };
}

const callColumns = [
  "id",
  "began_at",
  "duration_ms",
  "first_output_ms",
  "request_id",
  "event_id",
  "trace_id",
  "surface",
  "requested_model",
  "model",
  "task",
  "provider",
  "route",
  "key_id",
  "status",
  "status_code",
  "code",
  "is_cached",
  "is_streamed",
  "nano_usd",
  "tokens_in",
  "tokens_out",
  "feedback",
  "score",
  "entry",
] as const;

/** In the order of `callColumns`. */
function columnsOf(entry: LogEntry): (string | number | null)[] {
  return [
    entry.id,
    Date.parse(entry.createdAt),
    entry.durationMs,
    entry.firstOutputMs ?? null,
    entry.requestId ?? null,
    entry.eventId ?? null,
    entry.traceId ?? null,
    entry.surface ?? null,
    entry.requestedModel,
    entry.model,
    entry.task,
    entry.provider,
    entry.route ?? null,
    entry.keyId ?? null,
    entry.status,
    entry.statusCode,
    entry.code ?? null,
    Number(entry.isCached),
    Number(entry.isStreamed),
    entry.nanoUsd,
    entry.tokensIn ?? null,
    entry.tokensOut ?? null,
    entry.feedback ?? null,
    entry.score ?? null,
    JSON.stringify(entry),
  ];
}

/** `null` takes a remark back. */
function withRemark(entry: LogEntry, remark: LogRemark): LogEntry {
  const { feedback, score, ...rest } = entry;
  const newFeedback = remark.feedback === undefined ? feedback : remark.feedback;
  const newScore = remark.score === undefined ? score : remark.score;
  return {
    ...rest,
    metadata: { ...entry.metadata, ...remark.metadata },
    ...(newFeedback !== undefined && newFeedback !== null && { feedback: newFeedback }),
    ...(newScore !== undefined && newScore !== null && { score: newScore }),
  };
}
