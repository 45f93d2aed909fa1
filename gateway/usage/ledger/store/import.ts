import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";

import type { JournalPosition } from "../journal/journal.ts";
import { readSegment } from "../journal/read-segment.ts";
import {
  parseSegmentFile,
  type JournalRecord,
  type LegNames,
  type Metadata,
  type SegmentName,
} from "../journal/record.ts";
import { importBytes } from "../limits.ts";
import { interrupted, type Outcome } from "../outcome.ts";
import { transaction } from "../../../sqlite.ts";
import type { OpenLeg } from "./stored-leg.ts";

export interface ImportOptions {
  readonly database: DatabaseSync;
  /** Where the segments lie. */
  readonly directory: string;
  /** Of the process that writes them now. */
  readonly epoch: string;
  /** Stores a leg that has ended; within a transaction. */
  readonly store: (begun: OpenLeg, outcome: Outcome) => void;
  /** A transaction was rolled back: what is known in memory may be wrong. */
  readonly onRollback: () => void;
  /** What one transaction takes in. */
  readonly bytes?: number;
}

export interface Imported {
  /** Legs that ended since the last time. */
  readonly ended: number;
  readonly interrupted: number;
  /** Lines that were not whole: a kill leaves one, a damaged disk more. */
  readonly damaged: number;
  /** Ends of legs that have ended already, or never begun: they count nothing. */
  readonly refused: number;
}

/**
 * Takes the journal into the ledger. Each transaction stores the legs of a piece of a segment together with the piece's
 * end, so a leg counts exactly once, whenever the process is killed. Segments that are taken in and are not written any
 * more are removed.
 */
export class Importer {
  readonly #options: ImportOptions;
  readonly #statements: ReturnType<typeof prepare>;
  /** What the lines of the segment that is read refer to. */
  #sets: { readonly segment: string; readonly values: Map<number, LegNames | Metadata> } = {
    segment: "",
    values: new Map(),
  };
  /** Legs that began within this transaction: most end within it, and never touch the disk. */
  #begun = new Map<string, OpenLeg>();
  #epochs = new Map<string, string>();
  #counts = { ended: 0, interrupted: 0, damaged: 0, refused: 0 };
  #hasSettledFormer = false;
  #hasCleared = false;

  constructor(options: ImportOptions) {
    this.#options = options;
    this.#statements = prepare(options.database);
  }

  /** Everything up to where the journal has been written. */
  run(position: JournalPosition): Imported {
    this.#counts = { ended: 0, interrupted: 0, damaged: 0, refused: 0 };
    const complete: SegmentName[] = [];
    for (const segment of this.#segments()) {
      if (segment.number > position.number) break;
      const isComplete = segment.number < position.number;
      this.#take(segment, isComplete ? undefined : position.bytes);
      if (isComplete) complete.push(segment);
    }
    if (!this.#hasSettledFormer) {
      this.#interruptFormer();
      this.#hasSettledFormer = true;
    }
    this.#remove(complete);
    return this.#counts;
  }

  #segments(): readonly SegmentName[] {
    let files: readonly string[];
    try {
      files = readdirSync(this.#options.directory);
    } catch {
      // Made with the first leg.
      return [];
    }
    return files
      .map(parseSegmentFile)
      .filter((name) => name !== undefined)
      .toSorted((one, other) => one.number - other.number);
  }

  #take({ segment, file }: SegmentName, upTo: number | undefined): void {
    const { bytes = importBytes, directory } = this.#options;
    const path = join(directory, file);
    for (let from = this.#taken(segment); upTo === undefined || from < upTo;) {
      if (this.#sets.segment !== segment) this.#learn(path, segment, from);
      const slice = readSegment(path, { from, bytes, ...(upTo !== undefined && { upTo }) });
      if (slice.next === from) return;
      this.#transaction(() => {
        for (const record of slice.records) this.#apply(segment, record);
        this.#storeOpen();
        const epoch = this.#epochs.get(segment) ?? "";
        this.#statements.setSegment.run(segment, epoch, slice.next);
      });
      this.#counts.damaged += slice.damaged;
      from = slice.next;
      if (slice.isAtEnd) return;
    }
  }

  #taken(segment: string): number {
    return Number(this.#statements.segment.get(segment)?.["bytes"] ?? 0);
  }

  /** What the part of a segment that was taken in by a former process defined. */
  #learn(path: string, segment: string, upTo: number): void {
    this.#sets = { segment, values: new Map() };
    for (let from = 0; from < upTo;) {
      const slice = readSegment(path, { from, bytes: importBytes, upTo });
      for (const record of slice.records) this.#define(segment, record);
      if (slice.next === from) return;
      from = slice.next;
    }
  }

  #define(segment: string, record: JournalRecord): void {
    if (record[0] === "h") this.#epochs.set(segment, record[3]);
    if (record[0] === "s") this.#sets.values.set(record[1], record[2]);
  }

  #apply(segment: string, record: JournalRecord): void {
    this.#define(segment, record);
    if (record[0] === "b") this.#begin(segment, record);
    if (record[0] === "e") {
      this.#end(record[1] === 0 ? segment : record[1], record[2], record[3]);
    }
  }

  #begin(segment: string, record: Extract<JournalRecord, readonly ["b", ...unknown[]]>): void {
    const [, number, callId, index, beganAtMs, names, metadata, id, customCost] = record;
    this.#begun.set(`${segment} ${number}`, {
      id: id ?? `${callId}.${index}`,
      callId,
      index,
      beganAtMs,
      // A damaged disk may have taken the line that said them: the leg was paid nevertheless.
      names: (this.#sets.values.get(names) as LegNames | undefined) ?? unknownNames,
      metadata: (this.#sets.values.get(metadata) as Metadata | undefined) ?? {},
      ...(customCost !== undefined && { customCost }),
    });
  }

  #end(segment: string, number: number, outcome: Outcome): void {
    const key = `${segment} ${number}`;
    let begun = this.#begun.get(key);
    if (begun === undefined) {
      const row = this.#statements.takeOpen.get(segment, number);
      if (row !== undefined) begun = JSON.parse(String(row["record"])) as OpenLeg;
    } else {
      this.#begun.delete(key);
    }
    if (begun === undefined) {
      this.#counts.refused += 1;
      return;
    }
    this.#options.store(begun, outcome);
    this.#counts.ended += 1;
  }

  #storeOpen(): void {
    for (const [key, begun] of this.#begun) {
      const [segment = "", number] = key.split(" ");
      const epoch = this.#epochs.get(segment) ?? "";
      this.#statements.addOpen.run(segment, Number(number), epoch, JSON.stringify(begun));
    }
    this.#begun.clear();
  }

  /** Legs of a process that is gone: nobody will end them. */
  #interruptFormer(): void {
    const { database, epoch, store } = this.#options;
    const former = database
      .prepare("SELECT record FROM open_legs WHERE epoch != ? ORDER BY segment, number")
      .all(epoch);
    if (former.length === 0) return;
    this.#transaction(() => {
      for (const row of former) store(JSON.parse(String(row["record"])) as OpenLeg, interrupted);
      database.prepare("DELETE FROM open_legs WHERE epoch != ?").run(epoch);
    });
    this.#counts.interrupted += former.length;
  }

  /** The file goes before its record: otherwise a kill between the two would count it again. */
  #remove(complete: readonly SegmentName[]): void {
    const newest = this.#segments().at(-1)?.number;
    for (const { segment, file, number } of complete) {
      // The newest stays, so that the numbers go on.
      if (number === newest) continue;
      rmSync(join(this.#options.directory, file), { force: true });
      this.#statements.removeSegment.run(segment);
    }
    if (this.#hasCleared) return;
    // What a kill left between the two.
    this.#hasCleared = true;
    const present = new Set(this.#segments().map(({ segment }) => segment));
    for (const row of this.#statements.segments.all()) {
      const name = String(row["name"]);
      if (!present.has(name)) this.#statements.removeSegment.run(name);
    }
  }

  #transaction(work: () => void): void {
    try {
      transaction(this.#options.database, work);
    } catch (error) {
      this.#begun.clear();
      this.#sets = { segment: "", values: new Map() };
      this.#options.onRollback();
      throw error;
    }
  }
}

const unknownNames: LegNames = ["unknown", 0, "unknown", "unknown", null, null, 0];

function prepare(database: DatabaseSync) {
  return {
    segment: database.prepare("SELECT bytes FROM segments WHERE name = ?"),
    segments: database.prepare("SELECT name FROM segments"),
    setSegment: database.prepare("INSERT OR REPLACE INTO segments VALUES (?, ?, ?)"),
    removeSegment: database.prepare("DELETE FROM segments WHERE name = ?"),
    // A line that was written twice (half, then whole) begins a leg once.
    addOpen: database.prepare("INSERT OR IGNORE INTO open_legs VALUES (?, ?, ?, ?)"),
    takeOpen: database.prepare(
      "DELETE FROM open_legs WHERE segment = ? AND number = ? RETURNING record",
    ),
  };
}
