import type { ServerResponse } from "node:http";
import { join } from "node:path";

import { BoundedQueue } from "../bounded-queue.ts";
import type { CallRecord } from "../call-record.ts";
import {
  logBatchEntries,
  logBatchesInFlightMax,
  logCloseMs,
  logEntryBytes,
  logFlushIntervalMs,
  logQueueBytesMax,
  logQueueEntriesMax,
  logRetentionIntervalMs,
} from "../limits.ts";
import { choose } from "./choose.ts";
import type { Condition } from "./condition.ts";
import { toLogEntry, type LogEntry } from "./entry.ts";
import { serveLog, type QueuedEntry } from "./log-service.ts";
import type { LogPayload, LogRemark, LogSearch } from "./log-store.ts";
import { LogWorker } from "./log-worker.ts";
import { boundedJson } from "./payload.ts";
import type { WriteReport } from "./protocol.ts";
import { openLogSettings, type LogSettingsFile } from "./settings-file.ts";
import type { LogSettings } from "./settings.ts";
import { LogTail } from "./tail.ts";

export interface CallLogsOptions {
  /** The gateway's data directory. */
  readonly dataDirectory: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Keys that must not stay anywhere: the providers'. */
  readonly secrets: () => readonly string[];
}

export interface FoundLogs {
  readonly entries: readonly LogEntry[];
  readonly next?: number;
}

/** Why entries, or parts of them, did not come into the log. */
export const dropReasons = ["queue-entries", "queue-bytes", "payload", "worker"] as const;
export type DropReason = (typeof dropReasons)[number];

interface Waiting {
  readonly call: CallRecord;
  readonly traceId: string | undefined;
  readonly payload: Pick<QueuedEntry, "input" | "output"> & {
    readonly requestBytes?: number;
    readonly responseBytes?: number;
  };
}

const noPayload = {};

/**
 * The log of the calls. What is told of a call waits in a bounded queue, from which a thread writes it to `logs.db`; no
 * call waits for that. A kill loses what the queue holds, a tenth of a second's calls; the ledger does not.
 */
export class CallLogs {
  readonly tail: LogTail = new LogTail();
  readonly #path: string;
  readonly #options: CallLogsOptions;
  readonly #settings: LogSettingsFile;
  readonly #queue: BoundedQueue<Waiting>;
  readonly #writer: LogWorker;
  readonly #reader: LogWorker;
  readonly #drops: Record<DropReason, number> = {
    "queue-entries": 0,
    "queue-bytes": 0,
    payload: 0,
    worker: 0,
  };
  readonly #inFlight = new Set<Promise<void>>();
  #knownSecrets = "";
  #timer: NodeJS.Timeout | undefined;
  #retentionTimer: NodeJS.Timeout | undefined;
  #timeouts = 0;
  #written = 0;
  #size = { usedBytes: 0, entries: 0 };
  #isClosed = false;

  constructor(options: CallLogsOptions) {
    const path = join(options.dataDirectory, "logs.db");
    this.#path = path;
    this.#options = options;
    this.#settings = openLogSettings(join(options.dataDirectory, "log-settings.json"));
    this.#queue = new BoundedQueue({ entriesMax: logQueueEntriesMax, bytesMax: logQueueBytesMax });
    this.#writer = new LogWorker({ path, isReader: false }, () => {
      void this.#configure();
    });
    this.#reader = new LogWorker({ path, isReader: true });
  }

  get settings(): LogSettings {
    return this.#settings.current;
  }

  /** How the log does, for the metrics. */
  get state(): {
    readonly queuedEntries: number;
    readonly queuedBytes: number;
    readonly drops: Readonly<Record<DropReason, number>>;
    readonly redactionTimeouts: number;
    readonly written: number;
    readonly usedBytes: number;
    readonly entries: number;
  } {
    return {
      queuedEntries: this.#queue.size,
      queuedBytes: this.#queue.bytes,
      drops: this.#drops,
      redactionTimeouts: this.#timeouts,
      written: this.#written,
      ...this.#size,
    };
  }

  /** Takes a call that has ended, as the rules say. */
  record(call: CallRecord, traceId?: string): void {
    if (this.#isClosed) return;
    const { isLogged, hasPayload } = choose(call, this.#settings.current.rules);
    if (!isLogged) return;
    const payload = hasPayload ? this.#copyPayload(call) : noPayload;
    // The legs of a hedge may end later: the entry is of what was known at the call's end.
    // Nor does the queue hold on to inputs and outputs.
    const { payload: _payload, ...facts } = call;
    const waiting: Waiting = { call: { ...facts, legs: [...call.legs] }, traceId, payload };
    const bytes = logEntryBytes + textBytes(payload);
    const bound = this.#queue.push(waiting, bytes);
    if (bound === undefined) this.#schedule();
    else this.#drops[`queue-${bound}`] += 1;
  }

  /** Resolves when everything that was recorded before is in the file. */
  async flush(): Promise<void> {
    while (this.#queue.size > 0 || this.#inFlight.size > 0) {
      if (this.#queue.size > 0) this.#writeBatch();
      if (this.#queue.size === 0 || this.#inFlight.size >= logBatchesInFlightMax) {
        await Promise.all(this.#inFlight);
      }
    }
  }

  async search(search: LogSearch): Promise<FoundLogs> {
    const { entries, next } = await (await this.#upToDateReader()).ask("search", search);
    return {
      entries: entries.map((json) => JSON.parse(json) as LogEntry),
      ...(next !== undefined && { next }),
    };
  }

  /** The same as the texts that are stored, for an export. */
  async searchTexts(search: LogSearch): Promise<{ entries: readonly string[]; next?: number }> {
    return await (await this.#upToDateReader()).ask("search", search);
  }

  /** How many entries fit; counted up to a limit (`logCountMax`). */
  async count(conditions: readonly Condition[]): Promise<number> {
    return await (await this.#upToDateReader()).ask("count", conditions);
  }

  async get(id: string): Promise<LogEntry | undefined> {
    await this.flush();
    // One look: the thread that writes has it at once, the other one may have to be begun first.
    const json = await this.#writer.ask("get", id);
    return json === undefined ? undefined : (JSON.parse(json) as LogEntry);
  }

  async payload(id: string): Promise<LogPayload | undefined> {
    await this.flush();
    return await this.#writer.ask("payload", id);
  }

  /** Adds feedback, a score or metadata; undefined when there is no such entry. */
  async remark(id: string, remark: LogRemark): Promise<LogEntry | undefined> {
    await this.flush();
    const json = await this.#writer.ask("remark", { id, remark });
    return json === undefined ? undefined : (JSON.parse(json) as LogEntry);
  }

  /** Deletes what fits, payloads and index included, so that nothing of it lies in the file; returns how many. */
  async delete(conditions: readonly Condition[]): Promise<number> {
    await this.flush();
    let deleted = 0;
    for (;;) {
      const count = await this.#writer.ask("delete", conditions);
      if (count === 0) return deleted;
      deleted += count;
    }
  }

  /** Changes what is kept from now on, and forgets what the new retention does not hold. */
  async configure(settings: LogSettings): Promise<void> {
    this.#settings.set(settings);
    // What was recorded under the old settings must not be written more freely than the new ones allow.
    if (this.#writer.isRunning) await this.#configure();
    await this.prune();
  }

  /** Forgets what is too old or too much. */
  async prune(): Promise<void> {
    for (;;) {
      const { deleted, ...size } = await this.#writer.ask("prune", this.#options.clock());
      this.#size = size;
      if (deleted === 0) return;
    }
  }

  follow(response: ServerResponse, conditions: readonly Condition[]): void {
    this.tail.follow(response, conditions);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#retentionTimer);
    if (this.#writer.isRunning) await this.#flushInTime();
    else this.#writeHere();
    this.tail.close();
    await Promise.all([this.#reader.close(), this.#writer.close()]);
  }

  async #flushInTime(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => late.resolve(), logCloseMs);
    await Promise.race([this.flush(), late.promise]);
    clearTimeout(timer);
    // What is left ends with the thread.
    this.#drops.worker += this.#queue.take(this.#queue.size).length;
  }

  /** The last few entries of a process that has no thread yet: making one takes longer than writing them. */
  #writeHere(): void {
    if (this.#queue.size === 0) return;
    const { redaction, retention } = this.#settings.current;
    const service = serveLog({ path: this.#path, isReader: false });
    try {
      service.configure({ redaction, retention, secrets: this.#options.secrets() });
      const entries = JSON.stringify(this.#queue.take(this.#queue.size).map(toQueuedEntry));
      service.write({ entries, wantsEntries: false });
    } finally {
      service.close();
    }
  }

  #copyPayload(call: CallRecord): Waiting["payload"] {
    try {
      const made = call.payload?.();
      if (made === undefined) return noPayload;
      const input = boundedJson(made.input);
      const output = boundedJson(made.output);
      return {
        input: input.json,
        output: output.json,
        requestBytes: input.sizeBytes,
        responseBytes: output.sizeBytes,
      };
    } catch {
      this.#drops.payload += 1;
      return noPayload;
    }
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => this.#onTimer(), logFlushIntervalMs).unref();
    this.#retentionTimer ??= setTimeout(() => {
      this.#retentionTimer = undefined;
      this.prune().catch(() => undefined);
    }, logRetentionIntervalMs).unref();
  }

  /** A few at a time, so that no call waits for the writing of others. */
  #onTimer(): void {
    this.#timer = undefined;
    if (this.#queue.size === 0 || this.#isClosed) return;
    if (this.#inFlight.size < logBatchesInFlightMax) this.#writeBatch();
    if (this.#queue.size === 0) return;
    const pauseMs = this.#inFlight.size < logBatchesInFlightMax ? 0 : logFlushIntervalMs;
    this.#timer = setTimeout(() => this.#onTimer(), pauseMs).unref();
  }

  #writeBatch(): void {
    const batch = this.#queue.take(logBatchEntries);
    if (batch.length === 0) return;
    const entries = JSON.stringify(batch.map(toQueuedEntry));
    const work = this.#write(entries, batch.length).finally(() => this.#inFlight.delete(work));
    this.#inFlight.add(work);
  }

  async #write(entries: string, count: number): Promise<void> {
    let report: WriteReport;
    try {
      this.#configureSecrets();
      report = await this.#writer.ask("write", {
        entries,
        wantsEntries: this.tail.readers > 0,
      });
    } catch {
      this.#drops.worker += count;
      return;
    }
    this.#drops.worker += report.failed;
    this.#written += count - report.failed;
    this.#timeouts += report.timeouts;
    this.tail.send(report.entries);
  }

  /** A provider may have got another key meanwhile. */
  #configureSecrets(): void {
    const secrets = this.#options.secrets().join("\n");
    if (secrets === this.#knownSecrets || !this.#writer.isRunning) return;
    void this.#configure();
  }

  async #configure(): Promise<void> {
    const secrets = this.#options.secrets();
    this.#knownSecrets = secrets.join("\n");
    const { redaction, retention } = this.#settings.current;
    await this.#writer.ask("configure", { redaction, retention, secrets }).catch(() => undefined);
  }

  async #upToDateReader(): Promise<LogWorker> {
    await this.flush();
    // The writer makes the file.
    if (!this.#reader.isRunning) await this.prune();
    return this.#reader;
  }
}

function toQueuedEntry({ call, traceId, payload }: Waiting): QueuedEntry {
  const { input, output, requestBytes, responseBytes } = payload;
  return {
    entry: {
      ...toLogEntry(call, { traceId }),
      ...(requestBytes !== undefined && { requestBytes }),
      ...(responseBytes !== undefined && { responseBytes }),
    },
    ...(input !== undefined && { input }),
    ...(output !== undefined && { output }),
  };
}

function textBytes({ input = "", output = "" }: Waiting["payload"]): number {
  return input.length + output.length;
}
