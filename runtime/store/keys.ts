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
  /** Model ids that it is for, `*` at the end allowed; absent: all. */
  readonly models?: readonly string[];
  /** ISO 8601. */
  readonly createdAt: string;
  /** ISO 8601; absent: never. */
  readonly expiresAt?: string;
  /** ISO 8601; written in batches, so that a kill loses the last seconds. */
  readonly lastUsedAt?: string;
  /** The secret before the last rotation, and until when it opens still. */
  readonly former?: { readonly hash: string; readonly expiresAt: string };
}

export interface KeyStore {
  insert(record: KeyRecord): void;
  /** Writes everything of a known key anew. */
  update(record: KeyRecord): void;
  /** Writes times of last use, all in one transaction; unknown ids are passed over. */
  touch(uses: ReadonlyMap<string, string>): void;
  remove(id: string): void;
  list(): readonly KeyRecord[];
}

export function createKeyStore(database: Database): KeyStore {
  return {
    insert(record) {
      database.run(
        `INSERT INTO keys (name, hash, scopes, models, created_at, expires_at, last_used_at, former_hash,
           former_expires_at, id)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...columns(record),
      );
    },
    update(record) {
      database.run(
        `UPDATE keys SET name = ?, hash = ?, scopes = ?, models = ?, created_at = ?, expires_at = ?,
           last_used_at = ?, former_hash = ?, former_expires_at = ?
         WHERE id = ?`,
        ...columns(record),
      );
    },
    touch(uses) {
      database.transaction(() => {
        for (const [id, usedAt] of uses) {
          database.run("UPDATE keys SET last_used_at = ? WHERE id = ?", usedAt, id);
        }
      });
    },
    remove(id) {
      database.run("DELETE FROM keys WHERE id = ?", id);
    },
    list: () => database.all("SELECT * FROM keys ORDER BY created_at, id").map(parseKey),
  };
}

/** In the order of both statements: the id last. */
function columns(record: KeyRecord): (string | null)[] {
  return [
    record.name,
    record.hash,
    JSON.stringify(record.scopes),
    record.models === undefined ? null : JSON.stringify(record.models),
    record.createdAt,
    record.expiresAt ?? null,
    record.lastUsedAt ?? null,
    record.former?.hash ?? null,
    record.former?.expiresAt ?? null,
    record.id,
  ];
}

function parseKey(row: Row): KeyRecord {
  const { models, expires_at: expiresAt, last_used_at: lastUsedAt } = row;
  const { former_hash: formerHash, former_expires_at: formerExpiresAt } = row;
  return {
    id: String(row["id"]),
    name: String(row["name"]),
    hash: String(row["hash"]),
    scopes: JSON.parse(String(row["scopes"])),
    ...(typeof models === "string" && { models: JSON.parse(models) as string[] }),
    createdAt: String(row["created_at"]),
    ...(typeof expiresAt === "string" && { expiresAt }),
    ...(typeof lastUsedAt === "string" && { lastUsedAt }),
    ...(typeof formerHash === "string" && {
      former: { hash: formerHash, expiresAt: String(formerExpiresAt) },
    }),
  };
}
