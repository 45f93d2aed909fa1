import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

import { type Clock, systemClock, timestamp } from "../clock.ts";
import { ConflictError, NotFoundError } from "../errors.ts";
import type { KeyRecord, KeyScope, KeyStore } from "../store/keys.ts";

/** Who presented a secret. */
export interface KeyOwner {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly KeyScope[];
}

export interface KeyDescription extends KeyOwner {
  /** ISO 8601. */
  readonly createdAt: string;
}

/** API keys: looked up in memory by hash, kept in the store. */
export interface KeyRing {
  /** The owner of a secret, or undefined. Touches no database. */
  verify(secret: string): KeyOwner | undefined;
  /** Makes a key; the secret is returned here and never again. */
  create(input: { name: string; scopes: readonly KeyScope[] }): {
    readonly key: KeyDescription;
    readonly secret: string;
  };
  /** @throws NotFoundError `key_not_found`; ConflictError `last_admin_key`. */
  remove(id: string): void;
  list(): readonly KeyDescription[];
  /** On the first start: an admin key, whose secret the caller shows once. Later: undefined. */
  ensureAdminKey(): { readonly key: KeyDescription; readonly secret: string } | undefined;
}

/** 256 bits: guessing is out of reach, so a plain SHA-256 at rest is enough (no password, no salt). */
const secretBytes = 32;
const keyPrefix = "byom_";
/** No secret of ours is longer; whatever is gets no hash computed over it. */
const secretLengthMax = 128;

export function createKeys(
  store: { readonly keys: KeyStore },
  clock: Clock = systemClock,
): KeyRing {
  const byHash = new Map(store.keys.list().map((record) => [record.hash, record]));
  const records = (): KeyRecord[] => [...byHash.values()];

  const create: KeyRing["create"] = ({ name, scopes }) => {
    const secret = keyPrefix + randomBytes(secretBytes).toString("base64url");
    const record: KeyRecord = {
      id: `key_${randomBytes(6).toString("hex")}`,
      name,
      hash: hashSecret(secret).toString("hex"),
      scopes,
      createdAt: timestamp(clock),
    };
    store.keys.insert(record);
    byHash.set(record.hash, record);
    return { key: describe(record), secret };
  };

  return {
    create,
    verify(secret) {
      if (!secret.startsWith(keyPrefix) || secret.length > secretLengthMax) return undefined;
      const hash = hashSecret(secret);
      const record = byHash.get(hash.toString("hex"));
      // The map's own comparison is over a hash that a caller cannot steer; this one decides, in constant time.
      if (record === undefined || !timingSafeEqual(hash, Buffer.from(record.hash, "hex"))) {
        return undefined;
      }
      return { id: record.id, name: record.name, scopes: record.scopes };
    },
    remove(id) {
      const record = records().find((candidate) => candidate.id === id);
      if (record === undefined) throw new NotFoundError("key_not_found", `there is no key ${id}`);
      const isAdmin = record.scopes.includes("admin");
      const admins = records().filter((candidate) => candidate.scopes.includes("admin"));
      if (isAdmin && admins.length === 1) {
        throw new ConflictError("last_admin_key", `${id} is the last key with the admin scope`, {
          hint: "make another admin key first",
        });
      }
      store.keys.remove(id);
      byHash.delete(record.hash);
    },
    list: () => records().map(describe),
    ensureAdminKey: () =>
      byHash.size > 0 ? undefined : create({ name: "admin", scopes: ["admin"] }),
  };
}

function hashSecret(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

function describe(record: KeyRecord): KeyDescription {
  const { id, name, scopes, createdAt } = record;
  return { id, name, scopes, createdAt };
}
