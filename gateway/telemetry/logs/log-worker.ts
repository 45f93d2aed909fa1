import { Worker } from "node:worker_threads";

import type {
  LogOperations,
  OperationAnswer,
  OperationName,
  OperationRequest,
  WorkerOptions,
} from "./protocol.ts";

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A thread that owns the log's file, or reads it. It is begun with the first request, and again after it has died. */
export class LogWorker {
  readonly #options: WorkerOptions;
  /** Told to each new thread before anything else. */
  readonly #onBegin: ((worker: LogWorker) => void) | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #requests = 0;

  constructor(options: WorkerOptions, onBegin?: (worker: LogWorker) => void) {
    this.#options = options;
    this.#onBegin = onBegin;
  }

  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /** @throws Error when the operation fails, or the thread dies of it */
  async ask<Name extends OperationName>(
    name: Name,
    argument: Parameters<LogOperations[Name]>[0],
  ): Promise<ReturnType<LogOperations[Name]>> {
    const worker = this.#begin();
    this.#requests += 1;
    const id = this.#requests;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { resolve, reject });
    const request: OperationRequest = { id, name, argument };
    // The process may end although the thread waits for work, but not while somebody waits for the thread.
    worker.ref();
    worker.postMessage(request);
    return (await promise) as ReturnType<LogOperations[Name]>;
  }

  async close(): Promise<void> {
    if (this.#worker === undefined) return;
    const worker = this.#worker;
    // One that is busy with what nobody waits for any more is ended as it is: a commit is whole or not there.
    if (this.#waiting.size === 0)
      await this.ask("close", undefined as never).catch(() => undefined);
    this.#worker = undefined;
    await worker.terminate();
  }

  #begin(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(workerUrl, { workerData: this.#options, name: "log" });
    this.#worker = worker;
    worker.unref();
    worker.on("message", (answer: OperationAnswer) => this.#answered(worker, answer));
    worker.on("error", (error) => this.#died(worker, error));
    worker.on("exit", () => this.#died(worker, new Error("The log's thread has ended.")));
    this.#onBegin?.(this);
    return worker;
  }

  #answered(worker: Worker, answer: OperationAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) worker.unref();
    if ("error" in answer) waiting?.reject(new Error(answer.error));
    else waiting?.resolve(answer.value);
  }

  #died(worker: Worker, error: Error): void {
    if (this.#worker === worker) this.#worker = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) one.reject(error);
  }
}

/** From sources and from `dist/` alike. */
const workerUrl: URL = new URL(
  import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js",
  import.meta.url,
);
