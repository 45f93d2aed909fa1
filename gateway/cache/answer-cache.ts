import type { Run } from "../prediction/run.ts";
import { sizeOf, type CachedAnswer, type CachedEvent } from "./answer.ts";
import type { CacheAsk } from "./ask.ts";
import { DiskCache } from "./disk.ts";
import {
  cacheDiskBytesMax,
  cacheEntryBytesMax,
  cacheFilesMax,
  cacheMemoryBytesMax,
  cachePendingBytesMax,
  cacheSweepIntervalMs,
} from "./limits.ts";
import { MemoryCache } from "./memory.ts";

export interface AnswerCacheOptions {
  /** Made when it is missing. */
  readonly directory: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly memoryBytesMax?: number;
  readonly diskBytesMax?: number;
  readonly entryBytesMax?: number;
  /** The disk refused; answers are kept in memory then. */
  readonly onFail?: (cause: unknown) => void;
}

/** How full the cache is, and what it has done since the start. */
export interface CacheFacts {
  readonly memory: { readonly answers: number; readonly bytes: number };
  readonly disk: { readonly answers: number; readonly bytes: number };
  readonly hits: number;
  readonly joined: number;
  readonly misses: number;
}

/** Answers that stand for later calls of the same kind, and the calls under way that others of their kind join. */
export class AnswerCache {
  readonly #options: AnswerCacheOptions;
  readonly #memory: MemoryCache;
  readonly #disk: DiskCache;
  readonly #sweep: NodeJS.Timeout;
  /** Goes up with each purge: what began before it must not be stored after it. */
  #generation = 0;
  /** Runs that others of the same key follow. */
  readonly leaders: Map<string, Run> = new Map();
  readonly counts: { hits: number; joined: number; misses: number } = {
    hits: 0,
    joined: 0,
    misses: 0,
  };

  constructor(options: AnswerCacheOptions) {
    this.#options = options;
    this.#memory = new MemoryCache(options.memoryBytesMax ?? cacheMemoryBytesMax);
    this.#disk = new DiskCache({
      directory: options.directory,
      bytesMax: options.diskBytesMax ?? cacheDiskBytesMax,
      filesMax: cacheFilesMax,
      pendingBytesMax: cachePendingBytesMax,
      onFail: options.onFail ?? (() => undefined),
    });
    this.#sweep = setInterval(() => this.#removeOld(), cacheSweepIntervalMs).unref();
  }

  get generation(): number {
    return this.#generation;
  }

  /** Bytes that one answer may have. */
  get entryBytesMax(): number {
    return this.#options.entryBytesMax ?? cacheEntryBytesMax;
  }

  /** Milliseconds since the epoch. */
  get nowMs(): number {
    return this.#options.clock();
  }

  /** Whether there is an answer whose time has not passed. */
  has(key: string): boolean {
    const now = this.nowMs;
    return (this.#memory.peek(key)?.expiresAtMs ?? 0) > now || this.#disk.has(key, now);
  }

  /** At once from memory, later from disk; undefined where there is none whose time has not passed. */
  find(key: string): CachedAnswer | Promise<CachedAnswer | undefined> | undefined {
    const now = this.nowMs;
    const known = this.#memory.get(key);
    if (known !== undefined) {
      if (known.expiresAtMs > now) return known;
      this.#memory.delete(key);
    }
    return this.#disk.has(key, now) ? this.#load(key) : undefined;
  }

  /** Keeps an answer that began in that generation; one that is too large is left out. */
  store(ask: CacheAsk, events: readonly CachedEvent[], generation: number): void {
    if (generation !== this.#generation || sizeOf({ events }) > this.entryBytesMax) return;
    const storedAtMs = this.nowMs;
    const expiresAtMs = storedAtMs + ask.ttlMs;
    const answer: CachedAnswer = { model: ask.model, storedAtMs, expiresAtMs, events };
    this.#memory.put(ask.key, answer);
    this.#disk.put(ask.key, answer);
  }

  /** Forgets the answers of a model, or all; resolves when their files are gone. */
  async purge(model?: string): Promise<void> {
    this.#generation += 1;
    this.#memory.deleteWhere((answer) => model === undefined || answer.model === model);
    await this.#disk.purge(model);
  }

  facts(): CacheFacts {
    return {
      memory: { answers: this.#memory.count, bytes: this.#memory.bytes },
      disk: { answers: this.#disk.count, bytes: this.#disk.bytes },
      ...this.counts,
    };
  }

  /** What was stored lies on disk when this resolves. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await this.#disk.settled();
  }

  async #load(key: string): Promise<CachedAnswer | undefined> {
    const generation = this.#generation;
    const answer = await this.#disk.read(key);
    if (answer === undefined || answer.expiresAtMs <= this.nowMs) return undefined;
    if (generation !== this.#generation) return undefined;
    this.#memory.put(key, answer);
    return answer;
  }

  #removeOld(): void {
    const now = this.nowMs;
    this.#memory.deleteWhere(({ expiresAtMs }) => expiresAtMs <= now);
    this.#disk.sweep(now);
  }
}
