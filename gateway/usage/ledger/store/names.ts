import type { DatabaseSync } from "node:sqlite";

import { metadataColumnsMax, namesInMemoryMax } from "../limits.ts";

/** What a leg does not have. */
export const noName = 0;

/** Texts by number: a column holds four bytes where a leg has a word. */
export interface Names {
  /** The number of a text, given when it is new. */
  intern(text: string): number;
  /** Undefined when no leg has it. */
  find(text: string): number | undefined;
  text(id: number): string | undefined;
  /** Forgets what a transaction that was rolled back had given. */
  reload(): void;
}

export function openNames(database: DatabaseSync): Names {
  const select = database.prepare("SELECT id FROM names WHERE text = ?");
  const insert = database.prepare("INSERT INTO names (text) VALUES (?)");
  const read = database.prepare("SELECT text FROM names WHERE id = ?");
  // Two generations: what is used often stays, what was used once goes with the older one.
  let young = new Map<string, number>();
  let old = new Map<string, number>();
  const remember = (text: string, id: number): void => {
    if (young.size >= namesInMemoryMax / 2) {
      old = young;
      young = new Map();
    }
    young.set(text, id);
  };
  const find = (text: string): number | undefined => {
    const known = young.get(text);
    if (known !== undefined) return known;
    const id = old.get(text) ?? (select.get(text)?.["id"] as number | undefined);
    if (id !== undefined) remember(text, id);
    return id;
  };
  return {
    find,
    intern(text) {
      const found = find(text);
      if (found !== undefined) return found;
      const id = Number(insert.run(text).lastInsertRowid);
      remember(text, id);
      return id;
    },
    text: (id) => read.get(id)?.["text"] as string | undefined,
    reload() {
      young.clear();
      old.clear();
    },
  };
}

/** Names of metadata that have columns, by number. */
export interface MetadataKeys {
  /** Undefined when there are too many already: the leg keeps it, without a column. */
  intern(name: string): number | undefined;
  find(name: string): number | undefined;
  name(id: number): string | undefined;
  list(): readonly string[];
  reload(): void;
}

export function openMetadataKeys(
  database: DatabaseSync,
  columnsMax: number = metadataColumnsMax,
): MetadataKeys {
  const insert = database.prepare("INSERT INTO metadata_keys (name) VALUES (?)");
  const select = database.prepare("SELECT id, name FROM metadata_keys ORDER BY id");
  const ids = new Map<string, number>();
  const names = new Map<number, string>();
  const reload = (): void => {
    ids.clear();
    names.clear();
    for (const row of select.all()) {
      ids.set(String(row["name"]), Number(row["id"]));
      names.set(Number(row["id"]), String(row["name"]));
    }
  };
  reload();
  return {
    reload,
    find: (name) => ids.get(name),
    name: (id) => names.get(id),
    list: () => [...ids.keys()],
    intern(name) {
      const known = ids.get(name);
      if (known !== undefined || ids.size >= columnsMax) return known;
      const id = Number(insert.run(name).lastInsertRowid);
      ids.set(name, id);
      names.set(id, name);
      return id;
    },
  };
}
