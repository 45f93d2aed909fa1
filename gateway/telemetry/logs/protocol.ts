import type { Condition } from "./condition.ts";
import type { FoundEntries, LogPayload, LogRemark, LogSearch } from "./log-store.ts";
import type { Redaction, Retention } from "./settings.ts";

/** What a worker is given when it begins. */
export interface WorkerOptions {
  readonly path: string;
  /** A reader searches; the writer alone changes the file. */
  readonly isReader: boolean;
}

/** What is asked of a worker, by name: its arguments and its answer. */
export interface LogOperations {
  /** `entries`: JSON of `QueuedEntry[]`. The answer: the entries as they were written, when somebody follows. */
  write(options: { readonly entries: string; readonly wantsEntries: boolean }): WriteReport;
  configure(options: {
    readonly redaction: Redaction;
    readonly retention: Retention;
    readonly secrets: readonly string[];
  }): void;
  search(search: LogSearch): FoundEntries;
  count(conditions: readonly Condition[]): number;
  get(id: string): string | undefined;
  payload(id: string): LogPayload | undefined;
  remark(options: { readonly id: string; readonly remark: LogRemark }): string | undefined;
  /** One batch; zero when nothing is left. */
  delete(conditions: readonly Condition[]): number;
  /** One batch by the retention; `usedBytes` and `entries` are what is there now. */
  prune(nowMs: number): {
    readonly deleted: number;
    readonly usedBytes: number;
    readonly entries: number;
  };
  close(): void;
}

export interface WriteReport {
  /** JSON of each. */
  readonly entries: readonly string[];
  /** Payloads that were left out because an expression took too long. */
  readonly timeouts: number;
  /** Entries that could not be written. */
  readonly failed: number;
}

export type OperationName = keyof LogOperations;

export interface OperationRequest {
  readonly id: number;
  readonly name: OperationName;
  readonly argument: unknown;
}

export type OperationAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };
