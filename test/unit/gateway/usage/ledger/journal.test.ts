// What is appended before a call goes on. Whoever breaks it loses what was paid at a kill, or stops calls for a full disk.
import { readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

import { outcomeOf } from "../../../../../gateway/usage/ledger/outcome.ts";
import { answerSpend } from "../../../../../gateway/usage/ledger/query/spend.ts";
import { legEnd } from "../legs.ts";
import { costOf, leg, openJournal, openStore, temporaryDirectory, write } from "./support.ts";

const total = { by: [], where: [], limit: 1 } as const;
const ended = (nanoUsd: number) => outcomeOf(legEnd(), costOf(nanoUsd));

it("has a leg on disk when begin returns, and its end when end returns", () => {
  const directory = temporaryDirectory();
  const journal = openJournal(directory, "one");
  journal.begin(leg("a", { metadata: { team: "search" } }));
  const [file = ""] = readdirSync(directory);
  expect(readFileSync(join(directory, file), "utf8")).toContain('"search"');
  // Nothing is closed or flushed: this is what a kill leaves.
  const store = openStore(directory, "two");
  expect(store.import({ number: 99, bytes: 0 })).toMatchObject({ ended: 0, interrupted: 1 });
});

it("counts a leg once, however often it is begun or ended", () => {
  const directory = temporaryDirectory();
  const journal = openJournal(directory, "one");
  const begin = leg("a");
  journal.begin(begin);
  journal.begin(begin);
  expect(journal.end(begin.id, ended(5))).toBe(true);
  expect(journal.end(begin.id, ended(5))).toBe(false);
  expect(journal.end("never.0", ended(5))).toBe(false);
  const store = openStore(directory, "one");
  store.import(journal.position);
  expect(answerSpend(store, total).total).toMatchObject({ legs: 1, nanoUsd: "5" });
});

it("writes names and metadata once for a segment, whatever many legs have them", () => {
  const directory = temporaryDirectory();
  const journal = openJournal(directory, "one");
  const metadata = { team: "a-team-with-quite-a-long-name" };
  for (let index = 0; index < 50; index += 1) {
    write(journal, leg(`c${index}`, { metadata: { ...metadata } }), 1);
  }
  const [file = ""] = readdirSync(directory);
  const text = readFileSync(join(directory, file), "utf8");
  expect(text.split("a-team-with-quite-a-long-name")).toHaveLength(2);
});

it("goes on with another segment when one is full, and a leg may end in a later one", () => {
  const directory = temporaryDirectory();
  const journal = openJournal(directory, "one", { segmentBytes: 300 });
  const long = leg("long");
  journal.begin(long);
  for (let index = 0; index < 20; index += 1) write(journal, leg(`c${index}`), 2);
  journal.end(long.id, ended(100));
  expect(readdirSync(directory).length).toBeGreaterThan(3);
  const store = openStore(directory, "one");
  expect(store.import(journal.position)).toMatchObject({ ended: 21, refused: 0, damaged: 0 });
  expect(answerSpend(store, total).total).toMatchObject({ legs: 21, nanoUsd: "140" });
  // What is taken in is removed, but for the one that is written.
  expect(readdirSync(directory).filter((file) => file.endsWith(".log"))).toHaveLength(1);
});

it("a damaged line loses what it said and nothing else: a leg whose names it had is still paid", () => {
  const directory = temporaryDirectory();
  const journal = openJournal(directory, "one");
  write(journal, leg("a"), 5);
  write(journal, leg("b"), 6);
  const [file = ""] = readdirSync(directory);
  const path = join(directory, file);
  // The line with the names of both, and the end of the second leg.
  const lines = readFileSync(path, "utf8").split("\n");
  const damaged = lines.map((line, index) =>
    line.includes('["s",0,') || index === lines.length - 2 ? line.replace(/[a-z]/, "?") : line,
  );
  writeFileSync(path, damaged.join("\n"));
  const store = openStore(directory, "two");
  expect(store.import({ number: 99, bytes: 0 })).toMatchObject({
    ended: 1,
    interrupted: 1,
    damaged: 2,
  });
  expect(answerSpend(store, { ...total, by: ["model"] })).toMatchObject({
    rows: [{ values: ["unknown"], nanoUsd: "5", legs: 2 }],
  });
});

it.each([Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY])(
  "an amount that is none (%d) makes no sum one that is none",
  (amount) => {
    const directory = temporaryDirectory();
    const journal = openJournal(directory, "one");
    write(journal, leg("a"), amount);
    write(journal, leg("b"), 6);
    const store = openStore(directory, "one");
    store.import(journal.position);
    expect(answerSpend(store, total).total).toMatchObject({ nanoUsd: "6", unpricedLegs: 1 });
  },
);

it("a full disk stops no call, loses nothing that fits in memory, and says so once", () => {
  const directory = temporaryDirectory();
  let room = 500;
  const said: string[] = [];
  const journal = openJournal(directory, "one", {
    // Takes a part of a line, as a disk does that becomes full within it.
    write(descriptor, text) {
      const bytes = Buffer.from(text);
      const taken = writeSync(descriptor, bytes.subarray(0, Math.min(room, bytes.length)));
      room -= taken;
      if (taken === 0) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      return taken;
    },
    onFail: ({ lost }) => said.push(`fail ${lost}`),
    onCatchUp: ({ lost }) => said.push(`catch up ${lost}`),
  });
  for (let index = 0; index < 40; index += 1) write(journal, leg(`c${index}`), 3);
  expect(journal.hasUnwritten).toBe(true);
  const store = openStore(directory, "one");
  store.import(journal.position);
  expect(answerSpend(store, total).total.legs).toBeLessThan(40);
  room = Number.POSITIVE_INFINITY;
  journal.flush();
  expect(journal.hasUnwritten).toBe(false);
  store.import(journal.position);
  expect(answerSpend(store, total).total).toMatchObject({ legs: 40, nanoUsd: "120" });
  expect(said).toEqual(["fail 0", "catch up 0"]);
});

it("a disk that stays full loses legs beyond the bound, and counts them; later legs count again", () => {
  const directory = temporaryDirectory();
  let isFull = true;
  const journal = openJournal(directory, "one", {
    unwrittenBytes: 2_000,
    write(descriptor, text) {
      if (isFull) throw new Error("no space");
      return writeSync(descriptor, text);
    },
  });
  const metadata = { team: "search" };
  for (let index = 0; index < 100; index += 1) {
    write(journal, leg(`c${index}`, { metadata: { ...metadata, index } }), 1);
  }
  expect(journal.lost).toBeGreaterThan(10);
  isFull = false;
  for (let index = 0; index < 5; index += 1) write(journal, leg(`d${index}`, { metadata }), 1_000);
  const store = openStore(directory, "one");
  store.import(journal.position);
  const answer = answerSpend(store, { by: ["metadata.team"], where: [], limit: 10 });
  // Each later leg has its names and metadata, although those of lost lines were lost with them.
  expect(Number(answer.total.nanoUsd)).toBeGreaterThan(5_000);
  expect(answer.rows).toMatchObject([{ values: ["search"], legs: answer.total.legs }]);
});
