import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import type { JournalLimits } from "./journal-limits.ts";
import { Segment } from "./segment.ts";

const namePattern = /^(\d{10})\.journal$/;

/** The files of a journal, the oldest first; one of them is written. */
export class Segments {
  readonly #directory: string;
  readonly #limits: JournalLimits;
  readonly #clock: () => number;
  readonly #byNumber = new Map<number, Segment>();
  #current: Segment | undefined;
  #last = 0;
  #totalBytes = 0;

  constructor(options: {
    readonly directory: string;
    readonly limits: JournalLimits;
    readonly clock: () => number;
  }) {
    this.#directory = options.directory;
    this.#limits = options.limits;
    this.#clock = options.clock;
    mkdirSync(this.#directory, { recursive: true });
    for (const number of this.#found()) {
      const path = this.#path(number);
      const { size: sizeBytes, mtimeMs: openedAt } = statSync(path);
      this.#byNumber.set(number, new Segment({ number, path, openedAt, sizeBytes }));
      this.#totalBytes += sizeBytes;
      this.#last = number;
    }
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  get(number: number): Segment | undefined {
    return this.#byNumber.get(number);
  }

  all(): readonly Segment[] {
    return [...this.#byNumber.values()];
  }

  isCurrent(segment: Segment): boolean {
    return segment === this.#current;
  }

  /** The one that the next records go to. */
  writable(): Segment {
    const { segmentBytesMax, segmentAgeMs } = this.#limits;
    const current = this.#current;
    if (current !== undefined) {
      const isFull = current.sizeBytes >= segmentBytesMax;
      const isOld = this.#clock() - current.openedAt > segmentAgeMs && current.sizeBytes > 0;
      if (!isFull && !isOld) return current;
      this.#current = undefined;
      if (current.streams.size === 0) this.remove(current);
    }
    const number = this.#last + 1;
    const segment = new Segment({ number, path: this.#path(number), openedAt: this.#clock() });
    this.#last = number;
    this.#byNumber.set(number, segment);
    this.#current = segment;
    return segment;
  }

  /** @throws what the disk says; the next records go to a new file then */
  append(bytes: Buffer): void {
    const segment = this.writable();
    try {
      segment.append(bytes);
    } catch (error) {
      this.#current = undefined;
      if (segment.sizeBytes === 0 || segment.streams.size === 0) this.remove(segment);
      throw error;
    }
    this.#totalBytes += bytes.length;
  }

  /** The oldest file that is not written any more, when all together are too large. */
  surplus(): Segment | undefined {
    if (this.#totalBytes <= this.#limits.storeBytesMax) return undefined;
    const [oldest] = this.#byNumber.values();
    return oldest === undefined || oldest === this.#current ? undefined : oldest;
  }

  remove(segment: Segment): void {
    if (!this.#byNumber.delete(segment.number)) return;
    this.#totalBytes -= segment.sizeBytes;
    if (segment === this.#current) this.#current = undefined;
    segment.remove();
  }

  close(): void {
    for (const segment of this.#byNumber.values()) segment.close();
  }

  #found(): readonly number[] {
    return readdirSync(this.#directory)
      .flatMap((name) => namePattern.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }

  #path(number: number): string {
    return join(this.#directory, `${String(number).padStart(10, "0")}.journal`);
  }
}
