// Routes are kept in a file of their own. What must hold: an older byom does not misread a newer one's file, a broken
// file is named and not replaced, and versions that pile up are bounded without losing the one in use.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";

import { RouteBook } from "../../../../../gateway/route/dynamic/book.ts";
import { RouteStore, versionsKept } from "../../../../../gateway/route/dynamic/store.ts";
import { chatModel } from "../../harness.ts";

let directory: string;
let book: RouteBook;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "byom-routes-"));
  book = open();
});
afterEach(() => {
  book.close();
  rmSync(directory, { recursive: true, force: true });
});

function open(): RouteBook {
  let ids = 0;
  return new RouteBook({
    store: RouteStore.open(directory),
    sources: {
      catalog: {
        get: (id) => (id === chatModel.id ? chatModel : undefined),
        list: () => [chatModel],
      },
      providers: { get: () => undefined, list: () => [] },
    },
    clock: () => Date.parse("2026-11-23T12:00:00Z"),
    idSource: () => `id-${(ids += 1)}-${Math.random()}`,
  });
}

function again(): void {
  book.close();
  book = open();
}

const attempts = (count: number): unknown => ({
  models: [{ model: "acme/chat", attempts: count }],
});

it("keeps names, versions, what is in use, and limits over a restart", () => {
  book.put("a", attempts(1));
  book.put("a", attempts(2));
  book.rollback("a");
  book.putLimit("x", { requests: 5 });
  const { id } = book.rename("a", "b");
  again();
  expect(book.list()).toMatchObject([{ id, name: "b", version: 1, document: attempts(1) }]);
  expect(book.versions("b").map(({ version, isActive }) => [version, isActive])).toEqual([
    [2, false],
    [1, true],
  ]);
  expect(book.limit("x")?.rule).toMatchObject({ requests: 5, windowMs: 60_000 });
});

it("gives a new version a new number although the one in use is an older one", () => {
  book.put("a", attempts(1));
  book.put("a", attempts(2));
  book.rollback("a");
  expect(book.put("a", attempts(3)).route.version).toBe(3);
  expect(book.rollback("a").version).toBe(1);
});

it("bounds the versions, and never drops the one in use", () => {
  book.put("a", attempts(1));
  for (let more = 0; more < versionsKept + 20; more += 1) {
    book.addVersion("a", attempts(2 + (more % 9)));
  }
  const versions = book.versions("a").map(({ version }) => version);
  expect(versions).toHaveLength(versionsKept + 1);
  expect(versions.at(-1)).toBe(1);
  again();
  expect(book.demand("a").version).toBe(1);
});

it("puts nothing to use whose models are gone", () => {
  book.put("a", attempts(1));
  book.close();
  const store = RouteStore.open(directory);
  const bare = new RouteBook({
    store,
    sources: {
      catalog: { get: () => undefined, list: () => [] },
      providers: { get: () => undefined, list: () => [] },
    },
    clock: () => 0,
    idSource: () => "id",
  });
  expect(() => bare.activate("a", 1)).toThrow(/models\.0\.model: There is no model acme\/chat/);
  expect(bare.demand("a").version).toBe(1);
  bare.close();
  book = open();
});

it("changes nothing when a document is refused", () => {
  book.put("a", attempts(1));
  expect(() => book.put("a", { models: ["none/none"] })).toThrow(/none\/none/);
  expect(() => book.put("b", { models: [] })).toThrow(/models/);
  again();
  expect(book.list().map(({ name, version }) => [name, version])).toEqual([["a", 1]]);
});

it("does not take a file of a newer byom, nor one that is none, and leaves it as it is", () => {
  book.close();
  const file = join(directory, "routes.db");
  const database = new DatabaseSync(file);
  database.exec("PRAGMA user_version = 99");
  database.close();
  expect(() => open()).toThrow(expect.objectContaining({ code: "catalog_too_new" }));
  for (const rest of ["", "-wal", "-shm"]) rmSync(`${file}${rest}`, { force: true });
  writeFileSync(file, "no database at all, but long enough to be read as one");
  expect(() => open()).toThrow(expect.objectContaining({ code: "catalog_unreadable" }));
  rmSync(file);
  book = open();
});
