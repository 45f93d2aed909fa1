import type { ServerResponse } from "node:http";

import { GatewayError } from "../../errors.ts";
import { retryAfterDefaultMs } from "../../limits.ts";
import { tailBytesMax, tailKeepAliveMs, tailReadersMax } from "../limits.ts";
import { fitsAll, type Condition } from "./condition.ts";
import type { LogEntry } from "./entry.ts";

interface Reader {
  readonly response: ServerResponse;
  readonly conditions: readonly Condition[];
  /** Entries that passed it by since it was last told. */
  missed: number;
}

/** Those who follow the log as it grows: server-sent events, one per entry. Nobody waits for a reader. */
export class LogTail {
  readonly #readers = new Set<Reader>();
  #keepAlive: NodeJS.Timeout | undefined;
  #missed = 0;

  get readers(): number {
    return this.#readers.size;
  }

  /** Entries that slow readers did not get. */
  get missed(): number {
    return this.#missed;
  }

  /** Follows until the reader leaves. @throws `GatewayError` `capacity` */
  follow(response: ServerResponse, conditions: readonly Condition[]): void {
    if (this.#readers.size >= tailReadersMax) {
      throw new GatewayError("capacity", `The log is followed by ${tailReadersMax} readers.`, {
        retryAfterMs: retryAfterDefaultMs,
      });
    }
    const reader: Reader = { response, conditions, missed: 0 };
    this.#readers.add(reader);
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    response.write(": follows\n\n");
    response.once("close", () => this.#leave(reader));
    this.#keepAlive ??= setInterval(() => this.#comment(), tailKeepAliveMs).unref();
  }

  /** Entries as JSON, in the order in which the calls ended. */
  send(entries: readonly string[]): void {
    if (this.#readers.size === 0) return;
    for (const json of entries) {
      const entry = JSON.parse(json) as LogEntry;
      for (const reader of this.#readers) {
        if (fitsAll(entry, reader.conditions)) this.#sendTo(reader, json);
      }
    }
  }

  close(): void {
    for (const { response } of this.#readers) response.end();
    this.#readers.clear();
    clearInterval(this.#keepAlive);
    this.#keepAlive = undefined;
  }

  #sendTo(reader: Reader, json: string): void {
    const { response } = reader;
    if (response.writableLength > tailBytesMax) {
      reader.missed += 1;
      this.#missed += 1;
      return;
    }
    if (reader.missed > 0) {
      response.write(`event: missed\ndata: {"entries":${reader.missed}}\n\n`);
      reader.missed = 0;
    }
    response.write(`event: log\ndata: ${json}\n\n`);
  }

  #comment(): void {
    for (const { response } of this.#readers) {
      if (response.writableLength === 0) response.write(": nothing new\n\n");
    }
  }

  #leave(reader: Reader): void {
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    clearInterval(this.#keepAlive);
    this.#keepAlive = undefined;
  }
}
