import {
  appendFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { GatewayEvent } from "../../../../gateway/events.ts";
import { EventLog } from "../../../../gateway/stream/event-log.ts";
import { Journal } from "../../../../gateway/stream/journal.ts";
import type { JournalLimits } from "../../../../gateway/stream/journal-limits.ts";

// What a caller has seen is found again after kill -9, and the disk holds no more than it may. A journal that forgets,
// mixes up or never frees its streams costs a user the answer that was paid for.

let directory: string;
let now: number;
let events: GatewayEvent[];
const opened: Journal[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-journal-"));
  now = Date.parse("2026-11-23T12:00:00Z");
  events = [];
});
afterEach(async () => {
  for (const journal of opened.splice(0)) journal.close();
  await rm(directory, { recursive: true, force: true });
});

function open(limits: Partial<JournalLimits> = {}): Journal {
  const onEvent = (event: GatewayEvent): unknown => events.push(event);
  const journal = new Journal({ directory, clock: () => now, onEvent, limits });
  opened.push(journal);
  return journal;
}

function keep(journal: Journal, id: string, ttlMs?: number): EventLog {
  const log = new EventLog({ id, journal, ringBytesMax: 1_000 });
  log.keep({ facts: JSON.stringify({ of: id }), ttlMs });
  return log;
}

/** Appends and lets the turn end, as a read of the network does. */
async function say(log: EventLog, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) log.append("output", Buffer.from(text));
  await Promise.resolve();
}

async function texts(journal: Journal, id: string): Promise<string[] | undefined> {
  const stream = journal.find(id);
  if (stream === undefined) return undefined;
  const found: string[] = [];
  while (found.length < stream.events.length) {
    for (const { data } of await journal.read(stream, found.length)) found.push(data.toString());
  }
  return found;
}

const files = (): string[] => readdirSync(directory).sort();

describe("the streams' journal", () => {
  it("gives the streams of a process that was killed to the next one, ended or not, events of many mixed", async () => {
    const killed = open();
    const logs = Array.from({ length: 50 }, (_, at) => keep(killed, `run-${at}`));
    const expected = new Map<string, string[]>();
    for (let round = 0; round < 40; round += 1) {
      for (const [at, log] of logs.entries()) {
        const text = `${at}:${round} ${"x".repeat((at * round) % 70)}`;
        expected.set(`run-${at}`, [...(expected.get(`run-${at}`) ?? []), text]);
        log.append("output", Buffer.from(text));
      }
      await Promise.resolve();
    }
    for (const log of logs.slice(0, 25)) log.end('{"status":"succeeded"}');
    await Promise.resolve();

    const next = open();
    expect(next.streamCount).toBe(50);
    for (const [id, wanted] of expected) expect(await texts(next, id)).toEqual(wanted);
    const first = next.find("run-3");
    expect(first === undefined ? undefined : next.factsOf(first)).toEqual({
      opened: { of: "run-3" },
      ended: { status: "succeeded" },
    });
    expect(next.unended().map(({ id }) => id)).toEqual(
      Array.from({ length: 25 }, (_, at) => `run-${at + 25}`),
    );
  });

  it("writes once for all that one turn brought, and for nothing that is not kept", async () => {
    const journal = open();
    const logs = [keep(journal, "a"), keep(journal, "b")];
    const before = journal.storeBytes;
    for (const log of logs) log.append("output", Buffer.from("x"));
    expect(journal.storeBytes).toBe(before);
    await Promise.resolve();
    const written = readFileSync(join(directory, files()[0] ?? ""));
    expect(written.length).toBe(journal.storeBytes);
    expect(journal.storeBytes - before).toBe(2 * 25);
  });

  it("cuts off a torn last record, at every byte of it, and goes on behind", async () => {
    const log = keep(open(), "run");
    await say(log, "one");
    const path = join(directory, files()[0] ?? "");
    const good = statSync(path).size;
    await say(log, "two");
    const whole = readFileSync(path);
    for (let cut = good; cut < whole.length; cut += 1) {
      for (const name of files()) rmSync(join(directory, name));
      writeFileSync(path, whole.subarray(0, cut));
      const journal = open();
      expect(await texts(journal, "run")).toEqual(["one"]);
      expect(statSync(path).size).toBe(good);
      const [stream] = journal.unended();
      if (stream === undefined) throw new Error("the stream is gone");
      journal.interrupt(stream, { data: Buffer.from("cut"), facts: "{}" });
      expect(await texts(open(), "run")).toEqual(["one", "cut"]);
    }
  });

  it("believes no damaged record, and nothing behind it in the same file", async () => {
    const log = keep(open(), "run");
    await say(log, "one");
    const path = join(directory, files()[0] ?? "");
    const good = statSync(path).size;
    await say(log, "two");
    await say(log, "three");
    const bytes = readFileSync(path);
    bytes[good + 25] = 0xff;
    writeFileSync(path, bytes);
    expect(await texts(open(), "run")).toEqual(["one"]);
    for (const name of files()) rmSync(join(directory, name));
    appendFileSync(path, Buffer.alloc(1_000, 0x01));
    expect(open().streamCount).toBe(0);
  });

  it("forgets a stream after its time, and gives its room back", async () => {
    const journal = open({ segmentBytesMax: 100, retentionMs: 60_000 });
    const short = keep(journal, "short", 1_000);
    await say(short, "x".repeat(200));
    short.end("{}");
    const usual = keep(journal, "usual");
    await say(usual, "y".repeat(200));
    usual.end("{}");
    const running = keep(journal, "running");
    await say(running, "z".repeat(200));
    now += 2_000;
    journal.sweep();
    expect([await texts(journal, "short"), journal.find("usual")?.id]).toEqual([
      undefined,
      "usual",
    ]);
    now += 60_000;
    journal.sweep();
    expect(journal.find("usual")).toBeUndefined();
    expect(await texts(journal, "running")).toEqual(["z".repeat(200)]);
    const left = files().length;
    running.end("{}");
    await Promise.resolve();
    now += 60_000;
    journal.sweep();
    expect(journal.streamCount).toBe(0);
    expect(files().length).toBeLessThan(left);
  });

  it("keeps no stream beyond its count, and never takes one from its reader", async () => {
    const journal = open({ endedStreamsMax: 2 });
    const logs = ["a", "b", "c", "d"].map((id) => keep(journal, id));
    const leave = logs[0]?.subscribe(() => undefined);
    for (const log of logs) {
      await say(log, "x");
      log.end("{}");
      await Promise.resolve();
    }
    journal.sweep();
    const left = (): string[] => ["a", "b", "c", "d", "e"].filter((id) => journal.find(id));
    expect(left()).toEqual(["a", "d"]);
    leave?.();
    keep(journal, "e").end("{}");
    await Promise.resolve();
    expect(left()).toEqual(["d", "e"]);
  });

  it("holds the bound of the disk by its oldest files, though a stream in them goes on", async () => {
    const journal = open({ segmentBytesMax: 1_000, storeBytesMax: 5_000 });
    const slow = keep(journal, "slow");
    await say(slow, "the first");
    const fast = keep(journal, "fast");
    for (let round = 0; round < 40; round += 1) await say(fast, "x".repeat(500));
    expect(journal.storeBytes).toBeLessThan(7_000);
    // A stream whose beginning is gone cannot be given again from its beginning; it goes on for who reads along.
    expect(journal.find("slow")).toBeUndefined();
    await say(slow, "the last");
    expect(slow.last?.data.toString()).toBe("the last");
    await expect(journal.read(fast.stream, 0)).rejects.toMatchObject({ code: "not_found" });
  });

  it("ends no stream when the disk refuses: readers read on, and what it missed is written later", async () => {
    const journal = open();
    const log = keep(journal, "run");
    await say(log, "before");
    journal.close();
    rmSync(directory, { recursive: true });
    const seen: string[] = [];
    log.subscribe(() => seen.push(String(log.last?.data)));
    // The file is gone from its folder, and so is the folder: a new file cannot be made.
    now += 11 * 60_000;
    await say(log, "while");
    expect(seen).toEqual(["while"]);
    expect(journal.isBehind).toBe(true);
    expect(events).toMatchObject([{ type: "journal-fail", streams: 1 }]);
    await say(log, "again");
    expect(events).toHaveLength(1);
    const { mkdirSync } = await import("node:fs");
    mkdirSync(directory);
    now += 5_000;
    await say(log, "after");
    expect(journal.isBehind).toBe(false);
    expect(log.stream.events.length).toBe(4);
  });

  it("bounds what it holds in memory for a disk that never takes it", async () => {
    const journal = open();
    const log = keep(journal, "run");
    journal.close();
    rmSync(directory, { recursive: true });
    now += 11 * 60_000;
    await say(log, "x");
    for (let round = 0; round < 200; round += 1) await say(log, "x".repeat(500));
    expect(log.memoryBytes).toBeLessThan(1_000 * 17);
    expect(log.length).toBe(201);
    expect(journal.find("run")).toBeUndefined();
  });

  it("lets the later one of two streams with one id hold, also after a restart", async () => {
    const journal = open();
    await say(keep(journal, "run"), "former");
    await say(keep(journal, "run"), "later");
    expect(await texts(journal, "run")).toEqual(["later"]);
    expect(await texts(open(), "run")).toEqual(["later"]);
    journal.forget("run");
    expect(await texts(open(), "run")).toBeUndefined();
  });

  it("reads an event larger than any buffer", async () => {
    const journal = open();
    const log = keep(journal, "run");
    const large = "x".repeat(3 << 20);
    await say(log, "small", large, "small");
    expect(await texts(journal, "run")).toEqual(["small", large, "small"]);
    expect(await texts(open(), "run")).toEqual(["small", large, "small"]);
  });
});
