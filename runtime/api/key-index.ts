import { hash as hashOnce, randomBytes, timingSafeEqual } from "node:crypto";

import type { KeyRecord, KeyScope, KeyStore } from "../store/keys.ts";

/** Who presented a secret. */
export interface KeyOwner {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly KeyScope[];
  /** Model ids that it is for, `*` at the end allowed; absent: all. */
  readonly models?: readonly string[];
}

/** 256 bits: guessing is out of reach, so a plain SHA-256 at rest is enough (no password, no salt). */
const secretBytes = 32;
const keyPrefix = "byom_";
/** No secret of ours is longer; whatever is gets no hash computed over it. */
const secretLengthMax = 128;

/** One secret that opens: a key's own, or the one before its rotation. */
export interface Opening {
  readonly keyId: string;
  /** Hexadecimal digits, as bytes. */
  readonly hash: Buffer;
  /** Milliseconds since the epoch; Infinity: never. */
  readonly endsAtMs: number;
  readonly owner: KeyOwner;
}

/** The keys in memory, found by the hash of a secret; what is changed is in the store before it is here. */
export interface KeyIndex {
  /** Touches no database. */
  find(secret: string): Opening | undefined;
  /** By the key's id. */
  get(id: string): KeyRecord | undefined;
  all(): readonly KeyRecord[];
  /** Adds a key, or puts it in the place of the one with its id. */
  put(record: KeyRecord): void;
  remove(id: string): void;
}

export function createKeyIndex(store: KeyStore): KeyIndex {
  const records = new Map(store.list().map((record) => [record.id, record]));
  let openings = indexOpenings(records.values());
  return {
    find(secret) {
      if (!secret.startsWith(keyPrefix) || secret.length > secretLengthMax) return undefined;
      const hash = hashSecret(secret);
      const opening = openings.get(hash);
      // The map's own comparison is over a hash that a caller cannot steer; this one decides, in constant time.
      return opening !== undefined && timingSafeEqual(Buffer.from(hash), opening.hash)
        ? opening
        : undefined;
    },
    get: (id) => records.get(id),
    all: () => [...records.values()],
    put(record) {
      if (records.has(record.id)) store.update(record);
      else store.insert(record);
      records.set(record.id, record);
      openings = indexOpenings(records.values());
    },
    remove(id) {
      store.remove(id);
      records.delete(id);
      openings = indexOpenings(records.values());
    },
  };
}

function indexOpenings(records: Iterable<KeyRecord>): ReadonlyMap<string, Opening> {
  const openings = new Map<string, Opening>();
  for (const record of records) {
    const { id, name, scopes, models, former } = record;
    const owner = { id, name, scopes, ...(models !== undefined && { models }) };
    const add = (hash: string, endsAtMs: number): void => {
      openings.set(hash, { keyId: id, hash: Buffer.from(hash), endsAtMs, owner });
    };
    add(record.hash, endOf(record));
    if (former !== undefined) add(former.hash, Date.parse(former.expiresAt));
  }
  return openings;
}

export function makeSecret(): { readonly secret: string; readonly hash: string } {
  const secret = keyPrefix + randomBytes(secretBytes).toString("base64url");
  return { secret, hash: hashSecret(secret) };
}

/** Hexadecimal SHA-256, in one call: it is on the path of every request. */
function hashSecret(secret: string): string {
  return hashOnce("sha256", secret, "hex");
}

/** Milliseconds since the epoch; Infinity: never. */
export function endOf(record: KeyRecord): number {
  return record.expiresAt === undefined ? Infinity : Date.parse(record.expiresAt);
}
