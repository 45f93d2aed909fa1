import { randomBytes } from "node:crypto";

import { type Clock, systemClock, timestamp } from "../clock.ts";
import { ConflictError, NotFoundError } from "../errors.ts";
import type { KeyRecord, KeyScope, KeyStore } from "../store/keys.ts";
import { createKeyIndex, endOf, makeSecret, type KeyOwner } from "./key-index.ts";
import { createKeyUses } from "./key-uses.ts";

export type { KeyOwner } from "./key-index.ts";

export interface KeyDescription extends KeyOwner {
  /** ISO 8601, as all times here. */
  readonly createdAt: string;
  /** Absent: never. */
  readonly expiresAt?: string;
  /** Absent: not used yet. */
  readonly lastUsedAt?: string;
  /** Until when the secret before the last rotation opens still; absent once that is over. */
  readonly formerExpiresAt?: string;
}

export interface NewKey {
  readonly name: string;
  readonly scopes: readonly KeyScope[];
  /** Model ids that it is for, `*` at the end allowed; default: all. */
  readonly models?: readonly string[];
  /** From now; default: never. */
  readonly expiresInMs?: number;
}

export interface Rotation {
  /** How long the old secret opens beside the new one; default 0, at once. */
  readonly graceMs?: number;
  /** A new end for the key, from now; default: it keeps its own. */
  readonly expiresInMs?: number;
}

/** A key with its secret, which is returned once and never again. */
export interface KeyWithSecret {
  readonly key: KeyDescription;
  readonly secret: string;
}

/** API keys: looked up in memory by hash, kept in the store. Every change holds from the next call on. */
export interface KeyRing {
  /** The owner of a secret, or undefined. Touches no database. */
  verify(secret: string): KeyOwner | undefined;
  /** When the time of this secret was over (ISO 8601); undefined for one that is valid or was never ours. */
  expiredAt(secret: string): string | undefined;
  create(input: NewKey): KeyWithSecret;
  /**
   * Gives a key a new secret. The old one opens for the grace period still; one that an earlier rotation had left ends.
   * @throws NotFoundError `key_not_found`; ConflictError `key_expired`.
   */
  rotate(id: string, rotation?: Rotation): KeyWithSecret;
  /** @throws NotFoundError `key_not_found`; ConflictError `last_admin_key`. */
  revoke(id: string): void;
  list(): readonly KeyDescription[];
  /** While no admin key is valid (the first start): a new one, whose secret the caller shows once. Else: undefined. */
  ensureAdminKey(): KeyWithSecret | undefined;
  /** Writes the times of last use that are only in memory. */
  close(): void;
}

export function createKeys(
  store: { readonly keys: KeyStore },
  clock: Clock = systemClock,
): KeyRing {
  const index = createKeyIndex(store.keys);
  const uses = createKeyUses(store.keys, clock);

  const save = (record: KeyRecord): KeyDescription => {
    index.put(record);
    return describe(record, clock.now());
  };
  const withUse = (record: KeyRecord): KeyRecord => {
    const lastUsedAt = uses.lastUsedAt(record.id) ?? record.lastUsedAt;
    return lastUsedAt === undefined ? record : { ...record, lastUsedAt };
  };
  const get = (id: string): KeyRecord => {
    const record = index.get(id);
    if (record === undefined) throw new NotFoundError("key_not_found", `there is no key ${id}`);
    return withUse(record);
  };
  const validAdmins = (): readonly KeyRecord[] =>
    index.all().filter((record) => record.scopes.includes("admin") && endOf(record) > clock.now());
  const create = (input: NewKey): KeyWithSecret => {
    const { record, secret } = makeRecord(input, clock);
    return { key: save(record), secret };
  };

  return {
    create,
    verify(secret) {
      const opening = index.find(secret);
      if (opening === undefined) return undefined;
      const nowMs = clock.now();
      if (opening.endsAtMs <= nowMs) return undefined;
      uses.add(opening.keyId, nowMs);
      return opening.owner;
    },
    expiredAt(secret) {
      const opening = index.find(secret);
      if (opening === undefined || opening.endsAtMs > clock.now()) return undefined;
      return new Date(opening.endsAtMs).toISOString();
    },
    rotate(id, { graceMs = 0, expiresInMs } = {}) {
      const record = get(id);
      if (endOf(record) <= clock.now()) {
        throw new ConflictError("key_expired", `the key ${id} expired at ${record.expiresAt}`, {
          hint: "make a new one with `byom keys create`",
        });
      }
      const { record: renewed, secret } = renew(record, { graceMs, expiresInMs }, clock);
      return { key: save(renewed), secret };
    },
    revoke(id) {
      get(id);
      const admins = validAdmins();
      if (admins.length === 1 && admins[0]?.id === id) {
        throw new ConflictError("last_admin_key", `${id} is the last key with the admin scope`, {
          hint: "make another admin key first",
        });
      }
      index.remove(id);
    },
    list: () => index.all().map((record) => describe(withUse(record), clock.now())),
    ensureAdminKey: () =>
      validAdmins().length > 0 ? undefined : create({ name: "admin", scopes: ["admin"] }),
    close: () => uses.flush(),
  };
}

/** Whether a key's allow-list has the model; a key without one is for all. */
export function isForModel(owner: KeyOwner, modelId: string): boolean {
  if (owner.models === undefined) return true;
  return owner.models.some((pattern) =>
    pattern.endsWith("*") ? modelId.startsWith(pattern.slice(0, -1)) : modelId === pattern,
  );
}

function makeRecord(
  { name, scopes, models, expiresInMs }: NewKey,
  clock: Clock,
): { readonly record: KeyRecord; readonly secret: string } {
  const { secret, hash } = makeSecret();
  const record: KeyRecord = {
    id: `key_${randomBytes(6).toString("hex")}`,
    name,
    hash,
    scopes,
    ...(models !== undefined && { models }),
    createdAt: timestamp(clock),
    ...(expiresInMs !== undefined && { expiresAt: later(clock, expiresInMs) }),
  };
  return { record, secret };
}

function renew(
  record: KeyRecord,
  { graceMs, expiresInMs }: { readonly graceMs: number; readonly expiresInMs: number | undefined },
  clock: Clock,
): { readonly record: KeyRecord; readonly secret: string } {
  const { secret, hash } = makeSecret();
  // Nobody who is told to replace a secret gets more time than the key itself had.
  const formerEndsAtMs = Math.min(clock.now() + graceMs, endOf(record));
  const former = { hash: record.hash, expiresAt: new Date(formerEndsAtMs).toISOString() };
  const expiresAt = expiresInMs === undefined ? record.expiresAt : later(clock, expiresInMs);
  const renewed = { ...record, hash, former, ...(expiresAt !== undefined && { expiresAt }) };
  return { record: renewed, secret };
}

function later(clock: Clock, afterMs: number): string {
  return new Date(clock.now() + afterMs).toISOString();
}

function describe(record: KeyRecord, nowMs: number): KeyDescription {
  const { id, name, scopes, models, createdAt, expiresAt, lastUsedAt, former } = record;
  return {
    id,
    name,
    scopes,
    ...(models !== undefined && { models }),
    createdAt,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(lastUsedAt !== undefined && { lastUsedAt }),
    ...(former !== undefined &&
      Date.parse(former.expiresAt) > nowMs && { formerExpiresAt: former.expiresAt }),
  };
}
