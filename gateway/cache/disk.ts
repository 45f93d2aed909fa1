import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { decodeAnswer, encodeAnswer, type CachedAnswer } from "./answer.ts";

export interface DiskCacheOptions {
  readonly directory: string;
  readonly bytesMax: number;
  readonly filesMax: number;
  /** Answers that wait to be written; beyond it they are not. */
  readonly pendingBytesMax: number;
  /** The disk refused; the cache goes on without. */
  readonly onFail: (cause: unknown) => void;
}

/** What a file's name says, so that none has to be opened at the start. */
interface FileFacts {
  readonly name: string;
  readonly model: string;
  readonly expiresAtMs: number;
  readonly bytes: number;
}

/** `MODEL-KEY-STORED-EXPIRES-BYTES.answer`, the first two as hashes. */
const namePattern = /^([\da-f]{16})-([\da-f]{64})-(\d{1,16})-(\d{1,16})-(\d{1,12})\.answer$/;

/**
 * Answers as files, which survive a restart. A file that is not whole is removed when it is read; everything is written
 * beside its place first.
 */
export class DiskCache {
  readonly #options: DiskCacheOptions;
  /** The one that was not asked for longest comes first. */
  readonly #files = new Map<string, FileFacts>();
  #bytes = 0;
  #pendingBytes = 0;
  #work: Promise<void> = Promise.resolve();

  constructor(options: DiskCacheOptions) {
    this.#options = options;
    this.#open();
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#files.size;
  }

  has(key: string, nowMs: number): boolean {
    return (this.#files.get(key)?.expiresAtMs ?? 0) > nowMs;
  }

  /** Undefined where there is none, or none that is whole. */
  async read(key: string): Promise<CachedAnswer | undefined> {
    const facts = this.#files.get(key);
    if (facts === undefined) return undefined;
    this.#files.delete(key);
    this.#files.set(key, facts);
    const file = await readFile(this.#path(facts)).catch(() => undefined);
    const answer = file === undefined ? undefined : decodeAnswer(key, file);
    if (answer === undefined && this.#files.get(key) === facts) this.#drop(key, facts);
    return answer;
  }

  /** Writes after what is being written; returns at once. */
  put(key: string, answer: CachedAnswer): void {
    const file = encodeAnswer(key, answer);
    const { bytesMax, pendingBytesMax } = this.#options;
    if (file.length > bytesMax || this.#pendingBytes + file.length > pendingBytesMax) return;
    const model = modelHash(answer.model);
    const { storedAtMs, expiresAtMs } = answer;
    const name = `${model}-${key}-${storedAtMs}-${expiresAtMs}-${file.length}.answer`;
    const facts: FileFacts = { name, model, expiresAtMs, bytes: file.length };
    this.#pendingBytes += file.length;
    this.#queue(async () => {
      this.#pendingBytes -= file.length;
      const path = this.#path(facts);
      await writeFile(`${path}.tmp`, file);
      await rename(`${path}.tmp`, path);
      const former = this.#files.get(key);
      if (former !== undefined && former.name !== name) this.#drop(key, former);
      this.#add(key, facts);
      this.#keepBounds();
    });
  }

  /** Removes those of a model, or all; resolves when they are gone. */
  async purge(model?: string): Promise<void> {
    const hash = model === undefined ? undefined : modelHash(model);
    this.#queue(() => {
      for (const [key, facts] of this.#files) {
        if (hash === undefined || facts.model === hash) this.#drop(key, facts);
      }
      return Promise.resolve();
    });
    await this.settled();
  }

  sweep(nowMs: number): void {
    for (const [key, facts] of this.#files) if (facts.expiresAtMs <= nowMs) this.#drop(key, facts);
  }

  /** Everything that was put so far lies on disk. */
  async settled(): Promise<void> {
    let work: Promise<void> | undefined;
    while (work !== this.#work) {
      work = this.#work;
      await work;
    }
  }

  #open(): void {
    const { directory } = this.#options;
    mkdirSync(directory, { recursive: true });
    const found: { readonly key: string; readonly storedAtMs: number; facts: FileFacts }[] = [];
    for (const name of readdirSync(directory)) {
      const [, model = "", key = "", stored, expires, bytes] = namePattern.exec(name) ?? [];
      if (key === "") {
        // A write that a kill broke off.
        if (name.endsWith(".tmp")) rmSync(join(directory, name), { force: true });
        continue;
      }
      const facts = { name, model, expiresAtMs: Number(expires), bytes: Number(bytes) };
      found.push({ key, storedAtMs: Number(stored), facts });
    }
    for (const { key, facts } of found.toSorted(
      (one, other) => one.storedAtMs - other.storedAtMs,
    )) {
      const former = this.#files.get(key);
      if (former !== undefined) this.#drop(key, former);
      this.#add(key, facts);
    }
    this.#keepBounds();
  }

  #add(key: string, facts: FileFacts): void {
    this.#bytes += facts.bytes - (this.#files.get(key)?.bytes ?? 0);
    this.#files.delete(key);
    this.#files.set(key, facts);
  }

  #keepBounds(): void {
    const { bytesMax, filesMax } = this.#options;
    for (const [key, facts] of this.#files) {
      if (this.#bytes <= bytesMax && this.#files.size <= filesMax) return;
      this.#drop(key, facts);
    }
  }

  #drop(key: string, facts: FileFacts): void {
    this.#files.delete(key);
    this.#bytes -= facts.bytes;
    this.#queue(() => rm(this.#path(facts), { force: true }));
  }

  #queue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((cause: unknown) => this.#options.onFail(cause));
  }

  #path({ name }: FileFacts): string {
    return join(this.#options.directory, name);
  }
}

function modelHash(model: string): string {
  return createHash("sha256").update(model).digest("hex").slice(0, 16);
}
