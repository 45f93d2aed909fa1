// Keys are the platform's doors. What is tested here: nobody gets in with a wrong, ended or revoked secret; whoever
// has a right one is never turned away by a restart or a rotation; nothing readable lies on the disk.
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { createKeys, isForModel, type KeyRing } from "../../../../runtime/api/keys.ts";
import type { Clock } from "../../../../runtime/clock.ts";
import { openStore, type Store } from "../../../../runtime/store/store.ts";

const hourMs = 60 * 60_000;
const startMs = Date.parse("2026-11-01T00:00:00.000Z");

let dataDirectory = "";
let store: Store;
let keys: KeyRing;
let nowMs = startMs;
let wake: (() => void)[] = [];
const clock: Clock = {
  now: () => nowMs,
  monotonicMs: () => nowMs,
  delay: () => new Promise((resolve) => wake.push(resolve)),
};

beforeEach(() => {
  dataDirectory = mkdtempSync(path.join(tmpdir(), "byom-keys-"));
  nowMs = startMs;
  wake = [];
  store = openStore({ dataDirectory });
  keys = createKeys(store, clock);
});
afterEach(() => {
  store.close();
  rmSync(dataDirectory, { recursive: true, force: true });
});

function restart(): void {
  store.close();
  store = openStore({ dataDirectory });
  keys = createKeys(store, clock);
}

test("the secret is nowhere on the disk, and opens after a restart", () => {
  const made = keys.ensureAdminKey();
  expect(made?.secret).toMatch(/^byom_[\w-]{43}$/);
  const secret = made?.secret ?? "";
  for (const file of ["platform.db", "platform.db-wal"]) {
    expect(readFileSync(path.join(dataDirectory, file)).includes(secret), file).toBe(false);
  }
  restart();
  expect(keys.ensureAdminKey()).toBeUndefined();
  expect(keys.verify(secret)).toEqual({ id: made?.key.id, name: "admin", scopes: ["admin"] });
});

test("a wrong, overlong or foreign secret opens nothing, and is not called expired", () => {
  const { secret } = keys.create({ name: "app", scopes: ["call"] });
  const wrong = [
    `${secret}x`,
    secret.slice(0, -1),
    "",
    "byom_",
    `byom_${"a".repeat(10_000)}`,
    "sk-1",
  ];
  for (const attempt of wrong) {
    expect([keys.verify(attempt), keys.expiredAt(attempt)], attempt).toEqual([
      undefined,
      undefined,
    ]);
  }
});

test("a key carries its scopes and models to whoever checks them, also after a restart", () => {
  const made = keys.create({ name: "app", scopes: ["call", "deploy"], models: ["me/*", "@cf/*"] });
  const owner = {
    id: made.key.id,
    name: "app",
    scopes: ["call", "deploy"],
    models: ["me/*", "@cf/*"],
  };
  expect(keys.verify(made.secret)).toEqual(owner);
  restart();
  expect(keys.verify(made.secret)).toEqual(owner);
});

test.each([
  [undefined, "me/chat", true],
  [["*"], "@cf/meta/llama", true],
  [["me/*"], "me/chat", true],
  [["me/*"], "men/chat", false],
  [["me/chat"], "me/chat-large", false],
  [["me/chat", "@cf/*"], "@cf/meta/llama", true],
])("a key for %j and %s: %s", (models, modelId, isAllowed) => {
  const owner = { id: "k", name: "k", scopes: ["call" as const], ...(models && { models }) };
  expect(isForModel(owner, modelId)).toBe(isAllowed);
});

describe("expiry", () => {
  test("ends a key at its time, says when, and is not forgotten by a restart", () => {
    const { key, secret } = keys.create({ name: "app", scopes: ["call"], expiresInMs: hourMs });
    nowMs = startMs + hourMs - 1;
    expect(keys.verify(secret)?.id).toBe(key.id);
    expect(keys.expiredAt(secret)).toBeUndefined();
    nowMs = startMs + hourMs;
    restart();
    expect(keys.verify(secret)).toBeUndefined();
    expect(keys.expiredAt(secret)).toBe("2026-11-01T01:00:00.000Z");
    expect(keys.list()).toMatchObject([{ id: key.id, expiresAt: "2026-11-01T01:00:00.000Z" }]);
  });

  test("of the only admin key locks nobody out: the next start makes a new one", () => {
    keys.create({ name: "boss", scopes: ["admin"], expiresInMs: hourMs });
    expect(keys.ensureAdminKey()).toBeUndefined();
    nowMs += 2 * hourMs;
    restart();
    expect(keys.verify(keys.ensureAdminKey()?.secret ?? "")?.scopes).toEqual(["admin"]);
  });
});

describe("rotation", () => {
  test("gives a new secret at once, and the old one its grace, over a restart", () => {
    const old = keys.create({ name: "app", scopes: ["call"], models: ["me/*"] });
    const next = keys.rotate(old.key.id, { graceMs: hourMs });
    expect(next.key).toMatchObject({ id: old.key.id, formerExpiresAt: "2026-11-01T01:00:00.000Z" });
    expect(next.secret).not.toBe(old.secret);
    for (const when of ["before", "after a restart"]) {
      for (const { secret } of [old, next]) {
        expect(keys.verify(secret), when).toMatchObject({ id: old.key.id, models: ["me/*"] });
      }
      restart();
    }
    nowMs += hourMs;
    expect(keys.verify(old.secret)).toBeUndefined();
    expect(keys.expiredAt(old.secret)).toBe("2026-11-01T01:00:00.000Z");
    expect(keys.verify(next.secret)?.id).toBe(old.key.id);
    expect(keys.list()[0]).not.toHaveProperty("formerExpiresAt");
  });

  test("without a grace ends the old secret at once; a second one ends the first's grace", () => {
    const first = keys.create({ name: "app", scopes: ["call"] });
    const second = keys.rotate(first.key.id);
    expect(keys.verify(first.secret)).toBeUndefined();
    const third = keys.rotate(first.key.id, { graceMs: hourMs });
    const fourth = keys.rotate(first.key.id, { graceMs: hourMs });
    const open = [first, second, third, fourth].map(({ secret }) => keys.verify(secret)?.id);
    expect(open).toEqual([undefined, undefined, first.key.id, first.key.id]);
  });

  test("never makes an old secret live longer than its key would have, and can renew the key", () => {
    const old = keys.create({ name: "app", scopes: ["call"], expiresInMs: hourMs });
    const next = keys.rotate(old.key.id, { graceMs: 5 * hourMs, expiresInMs: 10 * hourMs });
    nowMs += hourMs;
    expect(keys.verify(old.secret)).toBeUndefined();
    expect(keys.verify(next.secret)?.id).toBe(old.key.id);
    nowMs += 9 * hourMs;
    expect(keys.verify(next.secret)).toBeUndefined();
    expect(() => keys.rotate(old.key.id)).toThrow(expect.objectContaining({ code: "key_expired" }));
    expect(() => keys.rotate("key_none")).toThrow("there is no key");
  });
});

test("a revoked key opens nothing from then on, nor does its rotated secret; the last admin stays", () => {
  const admin = keys.ensureAdminKey();
  const old = keys.create({ name: "app", scopes: ["call"] });
  const next = keys.rotate(old.key.id, { graceMs: hourMs });
  keys.revoke(old.key.id);
  for (const when of ["at once", "after a restart"]) {
    expect(keys.verify(old.secret), when).toBeUndefined();
    expect(keys.verify(next.secret), when).toBeUndefined();
    restart();
  }
  expect(() => keys.revoke(admin?.key.id ?? "")).toThrow("last key with the admin scope");
  expect(() => keys.revoke("key_none")).toThrow("there is no key");
});

describe("time of last use", () => {
  test("is known at once, and written in one batch for many calls", async () => {
    const { key, secret } = keys.create({ name: "app", scopes: ["call"] });
    expect(keys.list()[0]).not.toHaveProperty("lastUsedAt");
    for (let call = 0; call < 1_000; call += 1) {
      nowMs += 1;
      keys.verify(secret);
    }
    expect(keys.list()[0]).toMatchObject({ id: key.id, lastUsedAt: "2026-11-01T00:00:01.000Z" });
    expect(store.keys.list()[0]).not.toHaveProperty("lastUsedAt");
    expect(wake.length).toBe(1);
    wake.pop()?.();
    await expect.poll(() => store.keys.list()[0]?.lastUsedAt).toBe("2026-11-01T00:00:01.000Z");
    nowMs += 1;
    keys.verify(secret);
    expect(wake.length).toBe(1);
  });

  test("is kept by a stop that comes before the batch, and not moved by a refused call", () => {
    const { secret } = keys.create({ name: "app", scopes: ["call"], expiresInMs: hourMs });
    keys.verify(secret);
    keys.close();
    nowMs += hourMs;
    restart();
    expect(keys.verify(secret)).toBeUndefined();
    expect(keys.list()).toMatchObject([{ lastUsedAt: "2026-11-01T00:00:00.000Z" }]);
  });

  test("that cannot be written costs nobody the process", async () => {
    const { secret } = keys.create({ name: "app", scopes: ["call"] });
    keys.verify(secret);
    store.close();
    wake.pop()?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(keys.verify(secret)?.name).toBe("app");
  });
});

test("keys of the former table open as before, for all models and without an end", () => {
  store.close();
  rmSync(dataDirectory, { recursive: true });
  dataDirectory = mkdtempSync(path.join(tmpdir(), "byom-keys-"));
  const secret = `byom_${randomBytes(32).toString("base64url")}`;
  // The first schema's table, as a platform of before has it on its disk.
  openStore({ dataDirectory }).close();
  const old = new DatabaseSync(path.join(dataDirectory, "platform.db"));
  for (const { name } of old.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()) {
    if (!String(name).startsWith("sqlite_") && name !== "settings")
      old.exec(`DROP TABLE ${String(name)}`);
  }
  old.exec("DROP TABLE settings");
  old.exec(firstSchema);
  old
    .prepare("INSERT INTO keys (id, name, hash, scopes, created_at) VALUES (?, ?, ?, ?, ?)")
    .run(
      "key_old",
      "ci",
      createHash("sha256").update(secret).digest("hex"),
      '["deploy"]',
      "2026-10-01T00:00:00.000Z",
    );
  old.close();
  store = openStore({ dataDirectory });
  keys = createKeys(store, clock);
  expect(keys.verify(secret)).toEqual({ id: "key_old", name: "ci", scopes: ["deploy"] });
  const next = keys.rotate("key_old", { graceMs: hourMs });
  expect(keys.verify(next.secret)?.id).toBe("key_old");
});

/** What the first release's migration made. */
const firstSchema = `
  CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE models (id TEXT PRIMARY KEY, created_at TEXT NOT NULL, next_version INTEGER NOT NULL DEFAULT 1) STRICT;
  CREATE TABLE versions (model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE, number INTEGER NOT NULL,
    identity TEXT NOT NULL, record TEXT NOT NULL, example_output TEXT, created_at TEXT NOT NULL,
    PRIMARY KEY (model_id, number), UNIQUE (model_id, identity)) STRICT;
  CREATE TABLE deployments (model_id TEXT PRIMARY KEY REFERENCES models (id) ON DELETE CASCADE, traffic TEXT NOT NULL,
    scaling TEXT NOT NULL, updated_at TEXT NOT NULL) STRICT;
  CREATE TABLE releases (id INTEGER PRIMARY KEY AUTOINCREMENT, model_id TEXT NOT NULL REFERENCES models (id)
    ON DELETE CASCADE, kind TEXT NOT NULL, traffic TEXT NOT NULL, scaling TEXT NOT NULL, by TEXT,
    created_at TEXT NOT NULL) STRICT;
  CREATE TABLE instances (id TEXT PRIMARY KEY, model_id TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL,
    container_id TEXT, start TEXT, created_at TEXT NOT NULL) STRICT;
  CREATE TABLE keys (id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL,
    created_at TEXT NOT NULL) STRICT;
  CREATE TABLE predictions (sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, model TEXT NOT NULL,
    status TEXT NOT NULL, record TEXT NOT NULL) STRICT;
  PRAGMA user_version = 1;
`;
