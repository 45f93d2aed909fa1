// Somebody who follows the log over a bad line must cost nobody anything: not the calls, not the other readers.
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";

import { expect, it } from "vitest";

import { LogTail } from "../../../../gateway/telemetry/logs/tail.ts";
import { tailReadersMax } from "../../../../gateway/telemetry/limits.ts";

/** A response whose reader takes nothing until it is told to. */
class Line extends EventEmitter {
  isStuck = false;
  writableLength = 0;
  text = "";
  writeHead(): this {
    return this;
  }
  write(text: string): boolean {
    this.text += text;
    if (this.isStuck) this.writableLength += text.length;
    return !this.isStuck;
  }
  end(): void {
    this.emit("close");
  }
}

const follow = (tail: LogTail, line: Line): void =>
  tail.follow(line as unknown as ServerResponse, []);
const entry = JSON.stringify({ id: "c1", metadata: {}, text: "x".repeat(10_000) });
const count = (text: string): number => text.split("event: log").length - 1;

it("passes a slow reader by, tells it how much it missed, and gives the others everything", () => {
  const tail = new LogTail();
  const slow = new Line();
  const quick = new Line();
  follow(tail, slow);
  follow(tail, quick);
  slow.isStuck = true;
  for (let index = 0; index < 100; index += 1) tail.send([entry]);
  expect(count(quick.text)).toBe(100);
  const got = count(slow.text);
  expect(got).toBeGreaterThan(0);
  expect(slow.text.length).toBeLessThan(300_000);
  expect(tail.missed).toBe(100 - got);
  slow.isStuck = false;
  slow.writableLength = 0;
  tail.send([entry]);
  expect(slow.text).toContain(`event: missed\ndata: {"entries":${100 - got}}\n\n`);
  expect(count(slow.text)).toBe(got + 1);
  tail.close();
});

it("has a bounded number of readers, and a place again when one leaves", () => {
  const tail = new LogTail();
  const lines = Array.from({ length: tailReadersMax }, () => new Line());
  for (const line of lines) follow(tail, line);
  expect(() => follow(tail, new Line())).toThrow(expect.objectContaining({ code: "capacity" }));
  lines[0]?.emit("close");
  follow(tail, new Line());
  expect(tail.readers).toBe(tailReadersMax);
  tail.close();
  expect(tail.readers).toBe(0);
});
