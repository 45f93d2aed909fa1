import type { Database, Row } from "./database.ts";

/** What a key may do: `admin` everything, `deploy` push and deploy, `call` predictions only. */
export type KeyScope = "admin" | "deploy" | "call";

/** A key at rest: the secret itself is nowhere. */
export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the secret, hex. */
  readonly hash: string;
  readonly scopes: readonly KeyScope[];
  /** ISO 8601. */
  readonly createdAt: string;
}

export interface KeyStore {
  insert(record: KeyRecord): void;
  remove(id: string): void;
  list(): readonly KeyRecord[];
}

export function createKeyStore(database: Database): KeyStore {
  return {
    insert(record) {
      database.run(
        "INSERT INTO keys (id, name, hash, scopes, created_at) VALUES (?, ?, ?, ?, ?)",
        record.id,
        record.name,
        record.hash,
        JSON.stringify(record.scopes),
        record.createdAt,
      );
    },
    remove(id) {
      database.run("DELETE FROM keys WHERE id = ?", id);
    },
    list: () => database.all("SELECT * FROM keys ORDER BY created_at, id").map(parseKey),
  };
}

function parseKey(row: Row): KeyRecord {
  return {
    id: String(row["id"]),
    name: String(row["name"]),
    hash: String(row["hash"]),
    scopes: JSON.parse(String(row["scopes"])),
    createdAt: String(row["created_at"]),
  };
}
