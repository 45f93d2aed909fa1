import { Worker } from "node:worker_threads";

import { GatewayError } from "../../errors.ts";
import type { AnswerMessage, AskMessage, AskName, Asks, WorkerSettings } from "./ask.ts";
import type { JournalPosition } from "./journal/journal.ts";
import { questionsMax, workerYoungMiB } from "./limits.ts";

/** The ledger's thread as the gateway asks it; started with the first question. */
export class LedgerWorker {
  readonly #settings: WorkerSettings;
  readonly #waiting = new Map<
    number,
    { readonly resolve: (answer: unknown) => void; readonly reject: (error: unknown) => void }
  >();
  #worker: Worker | undefined;
  #asked = 0;
  #isClosed = false;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
  }

  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /** @throws GatewayError `capacity` when too many wait, `shutting_down`, `internal` when the ledger cannot be read */
  async ask<Name extends AskName>(
    name: Name,
    ask: Asks[Name]["ask"],
    options: { readonly position: JournalPosition; readonly signal?: AbortSignal },
  ): Promise<Asks[Name]["answer"]> {
    const { position, signal } = options;
    signal?.throwIfAborted();
    if (this.#isClosed) throw new GatewayError("shutting_down", "The ledger is closed.");
    if (this.#waiting.size >= questionsMax) {
      throw new GatewayError("capacity", "Too many questions to the ledger wait.", {
        retryAfterMs: 1_000,
      });
    }
    const id = this.#asked;
    this.#asked += 1;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiting.set(id, { resolve, reject });
    const worker = this.#start();
    // A question keeps the process alive, a waiting worker does not.
    worker.ref();
    worker.postMessage({ id, name, ask, position } satisfies AskMessage<Name>);
    try {
      return (await promise) as Asks[Name]["answer"];
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#worker?.unref();
    }
  }

  /** Lets it take in what has been written, and ends it. */
  async close(position: JournalPosition): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined || this.#isClosed) {
      this.#isClosed = true;
      return;
    }
    const closed = this.ask("close", undefined, { position });
    this.#isClosed = true;
    // What could not be taken in stays in the journal.
    await closed.catch(() => undefined);
    await worker.terminate();
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const file = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
    const worker = new Worker(new URL(file, import.meta.url), {
      workerData: this.#settings,
      name: "byom-ledger",
      resourceLimits: { maxYoungGenerationSizeMb: workerYoungMiB },
    });
    this.#worker = worker;
    worker.on("message", (message: AnswerMessage) => {
      const waiting = this.#waiting.get(message.id);
      if ("error" in message) waiting?.reject(unreadable(message.error));
      else waiting?.resolve(message.answer);
    });
    worker.on("error", (error) => this.#fail(worker, error));
    worker.on("exit", () => this.#fail(worker, new Error("the ledger's thread ended")));
    return worker;
  }

  /** The next question starts another one; the journal has everything. */
  #fail(worker: Worker, cause: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(unreadable(cause.message));
  }
}

function unreadable(reason: string): GatewayError {
  return new GatewayError("internal", `The ledger cannot be read: ${reason}`, {
    hint: "Calls go on, and what they cost is in the journal; it is added up once the ledger can be read.",
  });
}
