import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/**
 * What the builder remembers between runs, as text under a kind and a key. Everything in it can be computed
 * again; deleting the file costs time and nothing else.
 */
export interface BuilderStore extends Disposable {
  find(kind: StoreKind, key: string): string | undefined;
  remember(kind: StoreKind, key: string, value: string): void;
}

export type StoreKind =
  | "digest"
  | "environment-layers"
  | "environment-home"
  | "pip-freeze"
  | "engine-image"
  | "openapi-answer";

/** Another byom writes a row and is done; nobody holds the file longer than this. */
const busyTimeoutMs = 5_000;

/** Opens `builder.sqlite` in the data directory, which several builds may use at once. */
export function openBuilderStore(options: { dataDirectory: string }): BuilderStore {
  mkdirSync(options.dataDirectory, { recursive: true });
  const database = new DatabaseSync(join(options.dataDirectory, "builder.sqlite"), {
    timeout: busyTimeoutMs,
  });
  database.exec(
    `PRAGMA journal_mode = WAL;
     PRAGMA synchronous = NORMAL;
     CREATE TABLE IF NOT EXISTS memory (
       kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)
     ) WITHOUT ROWID;`,
  );
  const select = database.prepare("SELECT value FROM memory WHERE kind = ? AND key = ?");
  const upsert = database.prepare(
    "INSERT INTO memory (kind, key, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  );
  return {
    find: (kind, key) => {
      const value = select.get(kind, key)?.["value"];
      return typeof value === "string" ? value : undefined;
    },
    remember: (kind, key, value) => void upsert.run(kind, key, value),
    [Symbol.dispose]: () => database.close(),
  };
}
