import type { DatabaseSync } from "node:sqlite";

import { blockLegs } from "../limits.ts";
import {
  decodeColumn,
  encodeColumn,
  measuredWords,
  measuresFor,
  type Column,
  type Constant,
  type Measure,
  type WordNumbers,
} from "./columns.ts";
import type { Names } from "./names.ts";
import { decodeRow, wordDimensions, type StoredLeg } from "./stored-leg.ts";

/** Some thousands of legs by columns. */
export interface Block {
  readonly first: number;
  readonly last: number;
  readonly legs: number;
  /** Milliseconds since the epoch. */
  readonly beganFrom: number;
  readonly beganTo: number;
  /** 0: no leg has a value. */
  column(name: string): Column | Constant;
}

/** Legs as columns: whole blocks on disk, the newest legs in memory. */
export interface Blocks {
  readonly measures: readonly Measure[];
  /** Within the transaction that stores the leg. */
  add(leg: StoredLeg): void;
  /** Oldest first, the newest legs as the last one. */
  all(): readonly Block[];
  /** Makes the blocks for which this holds anew from the rows of their legs. */
  remake(isChanged: (block: BlockRow) => boolean): void;
  /** Takes the disk's word again, after a transaction that was rolled back. */
  reload(): void;
}

export interface BlockRow {
  readonly first: number;
  readonly last: number;
  readonly legs: number;
  readonly beganFrom: number;
  readonly beganTo: number;
}

export function openBlocks(
  database: DatabaseSync,
  names: Names,
  legsPerBlock: number = blockLegs,
): Blocks {
  return new StoredBlocks(database, { names, legsPerBlock });
}

class StoredBlocks implements Blocks {
  readonly measures: readonly Measure[];
  readonly #statements: ReturnType<typeof prepare>;
  readonly #legsPerBlock: number;
  #sealed: BlockRow[] = [];
  #tail: StoredLeg[] = [];

  constructor(
    database: DatabaseSync,
    { names, legsPerBlock }: { readonly names: Names; readonly legsPerBlock: number },
  ) {
    this.measures = measuresFor(wordNumbers(names));
    this.#legsPerBlock = legsPerBlock;
    this.#statements = prepare(database);
    this.reload();
  }

  reload(): void {
    const { blocks, legs } = this.#statements;
    this.#sealed = blocks.all().map((row) => ({
      first: Number(row["first"]),
      last: Number(row["last"]),
      legs: Number(row["legs"]),
      beganFrom: Number(row["began_from"]),
      beganTo: Number(row["began_to"]),
    }));
    const from = (this.#sealed.at(-1)?.last ?? 0) + 1;
    this.#tail = legs.all(from, Number.MAX_SAFE_INTEGER).map((row) => decodeRow(row));
  }

  add(leg: StoredLeg): void {
    this.#tail.push(leg);
    if (this.#tail.length < this.#legsPerBlock) return;
    const [first] = this.#tail;
    const block = { first: first?.seq ?? 0, last: leg.seq };
    this.#sealed.push(this.#write(block, this.#tail));
    this.#tail = [];
  }

  all(): readonly Block[] {
    const { column } = this.#statements;
    const onDisk = this.#sealed.map((block) => ({
      ...block,
      column(name: string): Column | Constant {
        const data = column.get(block.first, name)?.["data"];
        return data instanceof Uint8Array ? decodeColumn(data) : 0;
      },
    }));
    return this.#tail.length === 0 ? onDisk : [...onDisk, blockInMemory(this.#tail, this.measures)];
  }

  remake(isChanged: (block: BlockRow) => boolean): void {
    const { removeBlock, removeColumns, legs } = this.#statements;
    for (const block of this.#sealed) {
      if (!isChanged(block)) continue;
      removeBlock.run(block.first);
      removeColumns.run(block.first);
      const left = legs.all(block.first, block.last).map((row) => decodeRow(row));
      if (left.length > 0) this.#write(block, left);
    }
    this.reload();
  }

  #write({ first, last }: Pick<BlockRow, "first" | "last">, legs: readonly StoredLeg[]): BlockRow {
    const { addBlock, addColumn } = this.#statements;
    const [beganFrom, beganTo] = rangeOf(legs);
    addBlock.run(first, last, legs.length, beganFrom, beganTo);
    for (const [name, values] of columnsOf(legs, this.measures)) {
      const data = encodeColumn(values);
      if (data !== undefined) addColumn.run(first, name, data);
    }
    return { first, last, legs: legs.length, beganFrom, beganTo };
  }
}

function prepare(database: DatabaseSync) {
  return {
    blocks: database.prepare("SELECT * FROM blocks ORDER BY first"),
    legs: database.prepare("SELECT * FROM legs WHERE seq BETWEEN ? AND ? ORDER BY seq"),
    column: database.prepare("SELECT data FROM columns WHERE block = ? AND name = ?"),
    addBlock: database.prepare("INSERT INTO blocks VALUES (?, ?, ?, ?, ?)"),
    addColumn: database.prepare("INSERT INTO columns VALUES (?, ?, ?)"),
    removeBlock: database.prepare("DELETE FROM blocks WHERE first = ?"),
    removeColumns: database.prepare("DELETE FROM columns WHERE block = ?"),
  };
}

function wordNumbers(names: Names): WordNumbers {
  const numbers = measuredWords.map((word) => [word, names.intern(word)] as const);
  return Object.fromEntries(numbers) as WordNumbers;
}

function rangeOf(legs: readonly StoredLeg[]): readonly [number, number] {
  let from = Number.POSITIVE_INFINITY;
  let to = 0;
  for (const { beganAtMs } of legs) {
    if (beganAtMs < from) from = beganAtMs;
    if (beganAtMs > to) to = beganAtMs;
  }
  return [from, to];
}

/** The column that says when a leg began. */
export const timeColumn = "at";
/** The column that leads to the leg's row. */
export const sequenceColumn = "seq";

export function metadataColumn(key: number): string {
  return `metadata-${key}`;
}

function* columnsOf(
  legs: readonly StoredLeg[],
  measures: readonly Measure[],
): Generator<readonly [string, readonly number[]]> {
  yield [timeColumn, legs.map(({ beganAtMs }) => beganAtMs)];
  yield [sequenceColumn, legs.map(({ seq }) => seq)];
  for (const [index, name] of wordDimensions.entries()) {
    yield [name, legs.map(({ words }) => words[index] ?? 0)];
  }
  for (const { name, read } of measures) yield [name, legs.map(read)];
  const byKey = new Map<number, number[]>();
  for (const [row, { metadata }] of legs.entries()) {
    for (let index = 0; index + 1 < metadata.length; index += 2) {
      const key = metadata[index] ?? 0;
      let values = byKey.get(key);
      if (values === undefined) byKey.set(key, (values = Array<number>(legs.length).fill(0)));
      values[row] = Math.abs(metadata[index + 1] ?? 0);
    }
  }
  for (const [key, values] of byKey) yield [metadataColumn(key), values];
}

function blockInMemory(legs: readonly StoredLeg[], measures: readonly Measure[]): Block {
  const [beganFrom, beganTo] = rangeOf(legs);
  let columns: Map<string, Column> | undefined;
  return {
    first: legs[0]?.seq ?? 0,
    last: legs.at(-1)?.seq ?? 0,
    legs: legs.length,
    beganFrom,
    beganTo,
    column(name) {
      columns ??= new Map(
        Array.from(columnsOf(legs, measures), ([key, values]) => [key, Float64Array.from(values)]),
      );
      return columns.get(name) ?? 0;
    },
  };
}
