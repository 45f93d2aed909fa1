import { statSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";

import type { LegBegin } from "../../../route/leg.ts";
import type { JournalPosition } from "../journal/journal.ts";
import type { Outcome } from "../outcome.ts";
import { openBlocks, type Blocks } from "./blocks.ts";
import { transaction } from "../../../sqlite.ts";
import { openDatabase } from "./database.ts";
import { forgetNames } from "./forget-names.ts";
import { Importer, type Imported } from "./import.ts";
import { openMetadataKeys, openNames, type MetadataKeys, type Names } from "./names.ts";
import {
  beginOf,
  decodeRow,
  encodeRecord,
  storeLeg,
  type OpenLeg,
  type StoredLeg,
} from "./stored-leg.ts";

export interface LedgerStoreOptions {
  /** Of the journal and of `ledger.db`. */
  readonly directory: string;
  readonly epoch: string;
  /** For tests; defaults: see `limits.ts`. */
  readonly legsPerBlock?: number;
  readonly importBytes?: number;
  readonly metadataColumns?: number;
}

/** A leg that a list of its upstream says the cost of. */
export interface Settlement {
  readonly leg: string;
  readonly outcome: Outcome;
}

export type SettlementResult = "settled" | "settled-before" | "not-interrupted";

/** Not settled: 0; interrupted: 1; settled: 2. */
const settling = { never: 0, due: 1, done: 2 } as const;

/** The ledger on disk. It belongs to the worker: every call here may take as long as a disk does. */
export class LedgerStore {
  readonly database: DatabaseSync;
  readonly names: Names;
  readonly metadataKeys: MetadataKeys;
  readonly blocks: Blocks;
  readonly #directory: string;
  readonly #importer: Importer;
  readonly #insertLeg: ReturnType<DatabaseSync["prepare"]>;
  #nextSeq: number;

  /** @throws Error when `ledger.db` is locked, damaged, or a newer byom's; nothing stays open then */
  static open(options: LedgerStoreOptions): LedgerStore {
    const database = openDatabase(options.directory);
    try {
      return new LedgerStore(database, options);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  private constructor(database: DatabaseSync, options: LedgerStoreOptions) {
    const { directory, epoch, legsPerBlock, importBytes, metadataColumns } = options;
    this.#directory = directory;
    this.database = database;
    this.names = openNames(this.database);
    this.metadataKeys = openMetadataKeys(this.database, metadataColumns);
    this.blocks = openBlocks(this.database, this.names, legsPerBlock);
    this.#insertLeg = this.database.prepare("INSERT INTO legs VALUES (?, ?, ?, ?, ?)");
    this.#nextSeq = this.#findNextSeq();
    this.#importer = new Importer({
      database: this.database,
      directory,
      epoch,
      store: (begun, outcome) => this.#store(begun, outcome),
      onRollback: () => this.#reload(),
      ...(importBytes !== undefined && { bytes: importBytes }),
    });
  }

  import(position: JournalPosition): Imported {
    return this.#importer.run(position);
  }

  /** Legs under way, as far as the journal has been taken in. */
  get openLegs(): number {
    return Number(this.database.prepare("SELECT count(*) AS n FROM open_legs").get()?.["n"] ?? 0);
  }

  leg(seq: number): StoredLeg | undefined {
    const row = this.database.prepare("SELECT * FROM legs WHERE seq = ?").get(seq);
    return row === undefined ? undefined : decodeRow(row);
  }

  /** In their order. */
  *legsOf({
    first,
    last,
  }: {
    readonly first: number;
    readonly last: number;
  }): Generator<StoredLeg> {
    const rows = this.database.prepare("SELECT * FROM legs WHERE seq BETWEEN ? AND ? ORDER BY seq");
    for (const row of rows.iterate(first, last)) yield decodeRow(row);
  }

  /** Interrupted legs among these, as they began. */
  unsettled(ids: readonly string[]): ReadonlyMap<string, LegBegin> {
    const found = new Map<string, LegBegin>();
    for (const id of ids) {
      const leg = this.#settlingLeg(id);
      if (leg?.settling === settling.due) found.set(id, beginOf(leg.leg, this));
    }
    return found;
  }

  /** Says what interrupted legs cost; each once, whatever is said again later. */
  settle(settlements: readonly Settlement[]): ReadonlyMap<string, SettlementResult> {
    const results = new Map<string, SettlementResult>();
    const changed: number[] = [];
    const update = this.database.prepare("UPDATE legs SET settling = ?, record = ? WHERE seq = ?");
    this.#transaction(() => {
      for (const { leg: id, outcome } of settlements) {
        const found = this.#settlingLeg(id);
        if (found === undefined) {
          results.set(id, "not-interrupted");
        } else if (found.settling === settling.done) {
          if (!results.has(id)) results.set(id, "settled-before");
        } else {
          const { leg } = found;
          const settled = storeLeg({ seq: leg.seq, begun: this.#reopen(leg), outcome }, this);
          update.run(settling.done, encodeRecord(settled), leg.seq);
          changed.push(leg.seq);
          results.set(id, "settled");
        }
      }
      if (changed.length === 0) return;
      this.blocks.remake(({ first, last }) => changed.some((seq) => seq >= first && seq <= last));
    });
    return results;
  }

  /** Removes what ended and began before a time (milliseconds since the epoch); returns how many legs. */
  removeBefore(beganBeforeMs: number): number {
    let removed = 0;
    this.#transaction(() => {
      const remove = this.database.prepare("DELETE FROM legs WHERE began_at < ?");
      removed = Number(remove.run(beganBeforeMs).changes);
      if (removed === 0) return;
      this.blocks.remake(({ beganFrom }) => beganFrom < beganBeforeMs);
      forgetNames(this);
    });
    this.#reload();
    return removed;
  }

  /** Of the database, its log and the journal. */
  bytes(): number {
    return ["ledger.db", "ledger.db-wal"]
      .map((file) => statSync(join(this.#directory, file), { throwIfNoEntry: false })?.size ?? 0)
      .reduce((sum, size) => sum + size, 0);
  }

  close(): void {
    this.database.close();
  }

  #store(begun: OpenLeg, outcome: Outcome): void {
    const leg = storeLeg({ seq: this.#nextSeq, begun, outcome }, this);
    this.#nextSeq += 1;
    const state = outcome.state === "interrupted" ? settling.due : settling.never;
    this.#insertLeg.run(leg.seq, leg.id, leg.beganAtMs, state, encodeRecord(leg));
    this.blocks.add(leg);
  }

  #settlingLeg(id: string): { readonly leg: StoredLeg; readonly settling: number } | undefined {
    const row = this.database
      .prepare("SELECT * FROM legs WHERE id = ? AND settling > 0 ORDER BY seq LIMIT 1")
      .get(id);
    return row === undefined
      ? undefined
      : { leg: decodeRow(row), settling: Number(row["settling"]) };
  }

  #reopen(leg: StoredLeg): OpenLeg {
    const begin = beginOf(leg, this);
    const { model, version, provider, upstreamModel, keyId, route, isCallersKey } = begin;
    return {
      ...begin,
      names: [
        model,
        version,
        provider,
        upstreamModel,
        keyId ?? null,
        route ?? null,
        isCallersKey ? 1 : 0,
      ],
    };
  }

  #transaction(work: () => void): void {
    try {
      transaction(this.database, work);
    } catch (error) {
      this.#reload();
      throw error;
    }
  }

  #reload(): void {
    this.names.reload();
    this.metadataKeys.reload();
    this.blocks.reload();
    this.#nextSeq = this.#findNextSeq();
  }

  #findNextSeq(): number {
    const row = this.database
      .prepare(
        `SELECT max((SELECT coalesce(max(seq), 0) FROM legs),
                    (SELECT coalesce(max(last), 0) FROM blocks)) AS n`,
      )
      .get();
    return Number(row?.["n"] ?? 0) + 1;
  }
}
