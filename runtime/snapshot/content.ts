import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** What a file holds. */
export interface FileContent {
  readonly sizeBytes: number;
  /** CRC-32 of each {@link chunkBytes}: finds every flipped bit at three times the speed of SHA-256, and says where. */
  readonly chunks: readonly number[];
  /** `sha256:…`, where it was asked for. */
  readonly digest?: string;
}

export interface ContentRequest {
  readonly path: string;
  readonly hasDigest: boolean;
}

/** A multiple of the reader's buffer; a page image of 16 GiB has a thousand of them. */
export const chunkBytes: number = 16 << 20;

type Answer = { readonly content: FileContent } | { readonly error: string };

/** Reads files from first byte to last, one after the other, in a thread that ends with it. */
export class ContentReader implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    const file = import.meta.url.endsWith(".ts") ? "content-worker.ts" : "content-worker.js";
    this.#worker = new Worker(new URL(file, import.meta.url), { name: "snapshot-content" });
    this.#signal = signal;
  }

  /** @throws the file's own error, or the signal's reason. */
  async read(path: string, options: { readonly hasDigest: boolean }): Promise<FileContent> {
    this.#signal.throwIfAborted();
    this.#worker.postMessage({ path, ...options } satisfies ContentRequest);
    const [answer] = (await once(this.#worker, "message", { signal: this.#signal }).catch(
      (error: unknown) => {
        this.#signal.throwIfAborted();
        throw error;
      },
    )) as [Answer];
    if ("error" in answer) throw new Error(answer.error);
    return answer.content;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
