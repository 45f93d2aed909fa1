import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { StoredPrediction } from "../../../../runtime/store/predictions.ts";
import { openStore } from "../../../../runtime/store/store.ts";

let dataDirectory = "";
beforeEach(() => {
  dataDirectory = mkdtempSync(path.join(tmpdir(), "byom-store-"));
});
afterEach(() => {
  rmSync(dataDirectory, { recursive: true, force: true });
});

test("two platforms never share a data directory; the second learns the first one's pid", () => {
  const first = openStore({ dataDirectory, pid: 4711 });
  expect(() => openStore({ dataDirectory })).toThrow(
    expect.objectContaining({
      code: "data_directory_locked",
      pid: 4711,
      message: expect.stringContaining("process 4711"),
    }),
  );
  first.close();
  openStore({ dataDirectory }).close();
});

test("a database of a newer byom is refused instead of damaged", () => {
  openStore({ dataDirectory }).close();
  const database = new DatabaseSync(path.join(dataDirectory, "platform.db"));
  database.exec("PRAGMA user_version = 99");
  database.close();
  expect(() => openStore({ dataDirectory })).toThrow(
    expect.objectContaining({ code: "database_too_new" }),
  );
});

test("what was written is synced at every commit, so that kill -9 and a power cut lose nothing", () => {
  const store = openStore({ dataDirectory });
  store.settings.set("name", "value");
  const { platformId } = store;
  store.close();
  const again = openStore({ dataDirectory });
  expect([again.platformId, again.settings.get("name")]).toEqual([platformId, "value"]);
  again.close();
  const database = new DatabaseSync(path.join(dataDirectory, "platform.db"));
  expect(database.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
  database.close();
});

describe("predictions", () => {
  const record: StoredPrediction = {
    id: "p1",
    model: "acme/greeter",
    version: 1,
    status: "starting",
    input: { text: "you" },
    logs: "",
    metrics: {},
    createdAt: "2026-01-01T00:00:00.000Z",
  };

  test("that were not finished are found again after a restart, oldest first", () => {
    const store = openStore({ dataDirectory });
    store.predictions.insert(record);
    store.predictions.insert({ ...record, id: "p2", status: "processing" });
    store.predictions.insert({ ...record, id: "p3" });
    store.predictions.update({ ...record, id: "p3", status: "succeeded", output: [1] });
    store.close();
    const again = openStore({ dataDirectory });
    expect(again.predictions.unfinished().map(({ id }) => id)).toEqual(["p1", "p2"]);
    expect(again.predictions.get("p3")).toMatchObject({ status: "succeeded", output: [1] });
    expect(again.predictions.get("p4")).toBeUndefined();
    again.close();
  });

  test("are listed newest first, of one model or all, and an id is used once", () => {
    const store = openStore({ dataDirectory });
    for (const [id, model] of [
      ["a", "x/y"],
      ["b", "acme/greeter"],
      ["c", "x/y"],
    ] as const) {
      store.predictions.insert({ ...record, id, model });
    }
    expect(store.predictions.list({ limit: 2 }).map(({ id }) => id)).toEqual(["c", "b"]);
    expect(store.predictions.list({ limit: 9, model: "x/y" }).map(({ id }) => id)).toEqual([
      "c",
      "a",
    ]);
    expect(() => store.predictions.insert({ ...record, id: "a" })).toThrow("UNIQUE");
    store.close();
  });

  test("are paged in both directions and by time, so that a client sees each exactly once", () => {
    const store = openStore({ dataDirectory });
    const { predictions } = store;
    for (let at = 0; at < 5; at += 1) {
      predictions.insert({
        ...record,
        id: `p${at}`,
        createdAt: `2026-01-0${at + 1}T00:00:00.000Z`,
      });
    }
    const ids = (options: Parameters<typeof predictions.list>[0]): readonly string[] =>
      predictions.list(options).map(({ id }) => id);
    expect(ids({ limit: 2 })).toEqual(["p4", "p3"]);
    expect(ids({ limit: 2, before: "p3" })).toEqual(["p2", "p1"]);
    expect(ids({ limit: 2, after: "p1" })).toEqual(["p3", "p2"]);
    expect(ids({ limit: 9, before: "gone" })).toEqual([]);
    const [createdAfter, createdBefore] = ["2026-01-02", "2026-01-04"];
    expect(ids({ limit: 9, createdAfter, createdBefore })).toEqual(["p2", "p1"]);
    store.close();
  });

  test("are listed up to a size, so that large inputs do not fill the memory, but always one", () => {
    const store = openStore({ dataDirectory });
    const { predictions } = store;
    const input = { text: "x".repeat(1_000) };
    for (const id of ["a", "b", "c"]) predictions.insert({ ...record, id, input });
    const ids = (options: Parameters<typeof predictions.list>[0]): readonly string[] =>
      predictions.list(options).map(({ id }) => id);
    expect(ids({ limit: 9, bytesMax: 2_500 })).toEqual(["c", "b"]);
    expect(ids({ limit: 9, bytesMax: 2_500, after: "a" })).toEqual(["c", "b"]);
    expect(ids({ limit: 9, bytesMax: 10 })).toEqual(["c"]);
    expect(ids({ limit: 9, bytesMax: 10, after: "a" })).toEqual(["b"]);
    store.close();
  });

  test("owe a completed webhook until it is settled, across restarts, once they have ended", () => {
    const webhook = { url: "https://x", format: "replicate", baseUrl: "http://y" } as const;
    const store = openStore({ dataDirectory });
    store.predictions.insert({ ...record, webhook: { ...webhook, events: ["completed"] } });
    store.predictions.insert({ ...record, id: "p2", webhook: { ...webhook, events: ["start"] } });
    expect(store.predictions.owingWebhooks()).toEqual([]);
    const ended = { status: "succeeded", completedAt: "2026-01-02T00:00:00.000Z" } as const;
    store.predictions.update({ ...record, ...ended });
    store.predictions.update({ ...record, id: "p2", ...ended });
    store.close();
    const again = openStore({ dataDirectory });
    expect(again.predictions.owingWebhooks()).toEqual(["p1"]);
    again.predictions.settleWebhooks(["p1", "none"]);
    expect(again.predictions.owingWebhooks()).toEqual([]);
    again.close();
  });

  test("are forgotten in batches once they are old or too many, running ones never", () => {
    const store = openStore({ dataDirectory });
    const { predictions } = store;
    predictions.insert({ ...record, id: "running" });
    for (let day = 1; day <= 6; day += 1) {
      const completedAt = `2026-01-0${day}T00:00:00.000Z`;
      predictions.insert({ ...record, id: `d${day}`, status: "succeeded", completedAt });
    }
    const prune = (limit: number): number =>
      predictions.prune({ completedBefore: "2026-01-04T00:00:00.000Z", keepMax: 2, limit });
    expect([prune(2), prune(9), prune(9)]).toEqual([2, 2, 0]);
    expect(predictions.list({ limit: 9 }).map(({ id }) => id)).toEqual(["d6", "d5", "running"]);
    store.close();
  });
});
