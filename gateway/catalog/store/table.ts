import type { DatabaseSync } from "node:sqlite";

import type { z } from "zod";

import type { TableName } from "./database.ts";
import { CatalogStoreError } from "./errors.ts";

/** Records of one kind: read from memory, written to disk before the memory changes. */
export interface Table<Value> {
  get(id: string): Value | undefined;
  has(id: string): boolean;
  /** In the order of their ids. */
  entries(): readonly (readonly [string, Value])[];
  /** Returned: on disk. */
  set(id: string, value: Value): void;
  /** Whether there was one. */
  delete(id: string): boolean;
  /** Takes the disk's word again, after a transaction that was rolled back. */
  reload(): void;
}

/** @throws CatalogStoreError `catalog_unreadable` for a record that does not fit its schema */
export function openTable<Value>(options: {
  readonly database: DatabaseSync;
  readonly name: TableName;
  readonly schema: z.ZodType<Value>;
  /** ISO 8601. */
  readonly now: () => string;
  readonly onChange: () => void;
}): Table<Value> {
  const { database, name, schema, now, onChange } = options;
  const insert = database.prepare(
    `INSERT OR REPLACE INTO ${name} (id, record, updated_at) VALUES (?, ?, ?)`,
  );
  const remove = database.prepare(`DELETE FROM ${name} WHERE id = ?`);
  const select = database.prepare(`SELECT id, record FROM ${name} ORDER BY id`);
  let values = new Map<string, Value>();
  const load = (): void => {
    values = new Map(
      select.all().map((row) => {
        const id = String(row["id"]);
        return [id, readRecord({ name, id, text: String(row["record"]), schema })];
      }),
    );
  };
  load();
  return {
    get: (id) => values.get(id),
    has: (id) => values.has(id),
    entries: () => [...values.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)),
    set(id, value) {
      insert.run(id, JSON.stringify(value), now());
      values.set(id, value);
      onChange();
    },
    delete(id) {
      if (!values.has(id)) return false;
      remove.run(id);
      values.delete(id);
      onChange();
      return true;
    },
    reload() {
      load();
      onChange();
    },
  };
}

function readRecord<Value>(options: {
  readonly name: string;
  readonly id: string;
  readonly text: string;
  readonly schema: z.ZodType<Value>;
}): Value {
  const { name, id, text, schema } = options;
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new CatalogStoreError(
      "catalog_unreadable",
      `the catalog's record ${id} in ${name} cannot be read`,
      "put a backup of catalog.db in its place; the record was changed by something other than byom",
      error,
    );
  }
}
