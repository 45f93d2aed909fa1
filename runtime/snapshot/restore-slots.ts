import { freemem } from "node:os";

/** A restore copies memory and wakes processes on about one core; one more fills the gaps where the engine waits. */
const spareRestores = 1;
/** Of the memory that is available when a restore asks; the rest is for the predictions that wait for it. */
const availableShare = 0.5;

export interface RestoreSlotsOptions {
  /** Cores of the host. */
  readonly cpus: number;
  /** Bytes that could be filled now, page cache included. Default: the kernel's MemAvailable. */
  readonly availableBytes?: () => number;
}

/** A place among the restores that run; given back when the instance serves or has failed. */
export interface RestoreSlot {
  /** It had to stand in the queue. */
  readonly hasWaited: boolean;
  /** May be called more than once. */
  readonly release: () => void;
}

interface Waiting {
  readonly bytes: number;
  readonly enter: () => void;
}

/**
 * Bounds the restores that run at once, so that each stays fast: by cores, and by the memory that they are about to
 * fill. First come, first served, and the first is let through alone whatever its size.
 */
export class RestoreSlots {
  readonly #limit: number;
  readonly #availableBytes: () => number;
  readonly #queue: Waiting[] = [];
  #running = 0;
  /** Of the restores that run: the kernel does not count memory as used before it is filled. */
  #promisedBytes = 0;

  constructor(options: RestoreSlotsOptions) {
    this.#limit = Math.max(1, options.cpus) + spareRestores;
    // libuv reads MemAvailable of /proc/meminfo for it.
    this.#availableBytes = options.availableBytes ?? freemem;
  }

  /** Waits for a place for a restore of this many bytes. Rejects with the signal's reason and leaves the queue. */
  async acquire(bytes: number, { signal }: { signal: AbortSignal }): Promise<RestoreSlot> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<RestoreSlot>();
    let hasWaited = false;
    const waiting: Waiting = { bytes, enter: () => resolve(this.#slot(bytes, hasWaited)) };
    const leave = (): void => {
      const position = this.#queue.indexOf(waiting);
      if (position < 0) return;
      this.#queue.splice(position, 1);
      reject(signal.reason as Error);
      this.#admit();
    };
    signal.addEventListener("abort", leave, { once: true });
    this.#queue.push(waiting);
    this.#admit();
    hasWaited = this.#queue.includes(waiting);
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #slot(bytes: number, hasWaited: boolean): RestoreSlot {
    let isHeld = true;
    return {
      hasWaited,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#running -= 1;
        this.#promisedBytes -= bytes;
        this.#admit();
      },
    };
  }

  #admit(): void {
    for (;;) {
      const [first] = this.#queue;
      if (first === undefined || !this.#hasRoomFor(first.bytes)) return;
      this.#queue.shift();
      this.#running += 1;
      this.#promisedBytes += first.bytes;
      first.enter();
    }
  }

  #hasRoomFor(bytes: number): boolean {
    if (this.#running === 0) return true;
    if (this.#running >= this.#limit) return false;
    return this.#promisedBytes + bytes <= this.#availableBytes() * availableShare;
  }
}
