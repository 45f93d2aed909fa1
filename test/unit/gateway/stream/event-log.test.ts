import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { EventLog } from "../../../../gateway/stream/event-log.ts";
import { until } from "../harness.ts";

// A reader that lags, comes back or never reads must find every event once, in order, whatever the memory bound.

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-log-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const path = (): string => join(directory, "one.events");
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

describe("an event log", () => {
  it("gives early, late and returning readers the same events", async () => {
    const log = new EventLog({ segmentPath: path(), memoryBytesMax: 1_000 });
    const early = readAll(log);
    for (let index = 0; index < 200; index += 1) {
      log.append("output", Buffer.from(`event-${index}`));
      if (index % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    log.end();
    expect(await early).toEqual(names(200));
    expect(await readAll(log)).toEqual(names(200));
    expect(await readAll(log, 150)).toEqual(names(200, 150));
    expect(await readAll(log, 200)).toEqual([]);
    await until("the older events have left memory", () => log.memoryBytes < 1_200);
    expect(await readAll(log)).toEqual(names(200));
    expect(existsSync(path())).toBe(true);
    await log.remove();
    expect(existsSync(path())).toBe(false);
  });

  it("makes no file for what fits in memory", async () => {
    const log = new EventLog({ segmentPath: path() });
    log.append("output", Buffer.from("x"));
    log.end();
    expect(await readAll(log)).toEqual(["0 output x"]);
    expect(existsSync(path())).toBe(false);
    await log.remove();
  });

  it("keeps working in memory when the disk refuses, and says so", async () => {
    const causes: unknown[] = [];
    const log = new EventLog({
      segmentPath: join(directory, "missing", "one.events"),
      memoryBytesMax: 500,
      onSpillFail: (cause) => causes.push(cause),
    });
    for (let index = 0; index < 20; index += 1) log.append("output", Buffer.from(`event-${index}`));
    await new Promise((resolve) => setTimeout(resolve, 50));
    log.end();
    expect(await readAll(log)).toEqual(names(20));
    expect(causes.length).toBeGreaterThan(0);
    await log.remove().catch(() => undefined);
  });

  it("refuses events beyond its bound but always takes the reason for the end", () => {
    const log = new EventLog({ segmentPath: path(), bytesMax: 300 });
    expect(log.append("output", Buffer.alloc(100))).toBe(true);
    expect(log.append("output", Buffer.alloc(100))).toBe(false);
    expect(log.append("error", Buffer.alloc(100))).toBe(true);
    log.end();
    expect(log.append("output", Buffer.from("x"))).toBe(false);
  });

  it("lets a waiting reader go when its signal aborts", async () => {
    const log = new EventLog({ segmentPath: path() });
    const leave = new AbortController();
    const read = (async () => {
      for await (const batch of log.read({ from: 0, signal: leave.signal }))
        expect(batch).toEqual([]);
    })();
    leave.abort();
    await read;
    expect(log.isEnded).toBe(false);
  });
});
