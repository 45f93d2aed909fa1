// What an operator loses when these fail: what was answered is kept, whatever happens to the process or the file.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  openCatalogStore,
  type CatalogStore,
} from "../../../../gateway/catalog/store/catalog-store.ts";

let directory: string;
let open: CatalogStore[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-store-"));
});
afterEach(async () => {
  for (const store of open) store.close();
  open = [];
  await rm(directory, { recursive: true, force: true });
});

function openStore(): CatalogStore {
  const store = openCatalogStore({ directory });
  open.push(store);
  return store;
}

const sql = (text: string): void => {
  const database = new DatabaseSync(join(directory, "catalog.db"));
  database.exec(text);
  database.close();
};

describe("the store", () => {
  it("keeps every write that was answered before kill -9", { timeout: 60_000 }, async () => {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL("write-until-killed.ts", import.meta.url)), directory],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const exited = once(child, "exit");
    let answered = "";
    child.stdout.on("data", (chunk: Buffer) => (answered += chunk.toString()));
    while (answered.split("\n").length < 40) await delay(5);
    child.kill("SIGKILL");
    await exited;
    const last = answered.split("\n").filter((line) => line !== "");
    const store = openStore();
    for (const alias of last) expect(store.aliases.get(alias), alias).toEqual({ model: "a/b" });
    store.aliases.set("after", { model: "a/b" });
    expect(store.aliases.has("after")).toBe(true);
  });

  it("takes a whole transaction back, in memory too", () => {
    const store = openStore();
    store.aliases.set("kept", { model: "a/b" });
    const before = store.revision();
    expect(() =>
      store.transaction(() => {
        store.aliases.set("lost", { model: "a/b" });
        store.aliases.delete("kept");
        throw new Error("half way");
      }),
    ).toThrow("half way");
    expect(store.aliases.entries()).toEqual([["kept", { model: "a/b" }]]);
    expect(store.revision()).toBeGreaterThan(before);
    expect(openStore().aliases.entries()).toEqual([["kept", { model: "a/b" }]]);
  });

  it("counts a change once it is made, and nothing when nothing changed", () => {
    const store = openStore();
    expect(store.aliases.delete("none")).toBe(false);
    expect(store.revision()).toBe(0);
    store.aliases.set("a", { model: "a/b" });
    expect(store.revision()).toBe(1);
  });

  it("brings an empty file to the newest schema, and a current one stays as it is", () => {
    openStore().aliases.set("a", { model: "a/b" });
    expect(openStore().aliases.has("a")).toBe(true);
  });
});

describe("a file that is not its own", () => {
  const code = (run: () => unknown): unknown => {
    try {
      run();
    } catch (error) {
      return (error as { code?: unknown }).code;
    }
    return undefined;
  };

  it("is refused when it is no database", async () => {
    await writeFile(
      join(directory, "catalog.db"),
      "not a database, and longer than a header\n".repeat(50),
    );
    expect(code(openStore)).toBe("catalog_unreadable");
  });

  it("is refused when a newer byom wrote it, which knows what this one would lose", () => {
    openStore().close();
    open = [];
    sql("PRAGMA user_version = 99");
    expect(code(openStore)).toBe("catalog_too_new");
  });

  it.each([
    ["no JSON", "{"],
    ["another shape", '{"models":1}'],
  ])("is refused when a record is %s", (_what, record) => {
    openStore().close();
    open = [];
    sql(`INSERT INTO aliases VALUES ('a', '${record}', '')`);
    expect(code(openStore)).toBe("catalog_unreadable");
  });
});
