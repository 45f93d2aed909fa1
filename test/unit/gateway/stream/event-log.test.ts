import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { EventLog } from "../../../../gateway/stream/event-log.ts";
import { Journal } from "../../../../gateway/stream/journal.ts";

// A reader that lags, comes back or never reads must find every event once, in order, whatever the memory bound.

let directory: string;
let journal: Journal;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-log-"));
  journal = new Journal({ directory, clock: Date.now });
});
afterEach(async () => {
  journal.close();
  await rm(directory, { recursive: true, force: true });
});

const never = new AbortController().signal;

async function readAll(log: EventLog, from = 0): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of log.read({ from, signal: never })) {
    for (const event of batch) found.push(`${event.index} ${event.kind} ${event.data.toString()}`);
  }
  return found;
}

const names = (count: number, from = 0): string[] =>
  Array.from({ length: count - from }, (_, at) => `${at + from} output event-${at + from}`);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("an event log", () => {
  it.each([
    ["kept", true],
    ["larger than its memory", false],
  ])("that is %s gives early, late and returning readers the same events", async (_, isKept) => {
    const log = new EventLog({ id: "run", journal, memoryBytesMax: 1_000, ringBytesMax: 1_000 });
    if (isKept) log.keep({ facts: "{}", ttlMs: undefined });
    const early = readAll(log);
    for (let index = 0; index < 200; index += 1) {
      log.append("output", Buffer.from(`event-${index}`));
      if (index % 10 === 0) await turn();
    }
    log.end();
    expect(await early).toEqual(names(200));
    expect(await readAll(log)).toEqual(names(200));
    expect(await readAll(log, 150)).toEqual(names(200, 150));
    expect(await readAll(log, 200)).toEqual([]);
    expect(log.memoryBytes).toBeLessThan(1_200);
    expect(log.last?.index).toBe(199);
    log.remove();
  });

  it("does not touch the disk for what fits in memory and is for nobody to ask for again", async () => {
    const log = new EventLog({ id: "run", journal });
    log.append("output", Buffer.from("x"));
    log.end();
    expect(await readAll(log)).toEqual(["0 output x"]);
    expect(await readdir(directory)).toEqual([]);
    log.remove();
  });

  it("shows no event of a kept log before it is written", async () => {
    const log = new EventLog({ id: "run", journal });
    log.keep({ facts: "{}", ttlMs: undefined });
    const seen: number[] = [];
    log.subscribe(() => seen.push(log.stream.events.length));
    log.append("output", Buffer.from("a"));
    log.append("output", Buffer.from("b"));
    expect([log.length, log.readable, log.peek(0)]).toEqual([2, 0, []]);
    await turn();
    // Once for both, and by then they lay in the journal.
    expect(seen).toEqual([2]);
    expect(log.readable).toBe(2);
  });

  it("refuses events beyond its bound but always takes the reason for the end", async () => {
    const log = new EventLog({ id: "run", bytesMax: 300 });
    expect(log.append("output", Buffer.alloc(100))).toBe(true);
    expect(log.append("output", Buffer.alloc(100))).toBe(false);
    expect(log.append("error", Buffer.alloc(100))).toBe(true);
    log.end();
    expect(log.append("error", Buffer.alloc(1))).toBe(false);
    expect(log.length).toBe(2);
  });

  it("ends a reader whose signal aborts, and one whose log is removed", async () => {
    const log = new EventLog({ id: "run", journal });
    const leaving = new AbortController();
    const gone: unknown[] = [];
    const reading = (async () => {
      for await (const batch of log.read({ from: 0, signal: leaving.signal })) gone.push(batch);
    })();
    const other = readAll(log);
    leaving.abort();
    await reading;
    log.remove();
    expect(await other).toEqual([]);
    expect(gone).toEqual([]);
  });
});
