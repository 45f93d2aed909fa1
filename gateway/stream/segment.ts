import { closeSync, ftruncateSync, openSync, read, readSync, unlinkSync, writeSync } from "node:fs";

/**
 * One file of the journal: written at its end by one writer, without waiting for the disk, and read by offset. What
 * `append` has written survives the end of the process, also kill -9; it is not forced to the disk (a power cut may
 * take the last seconds).
 */
export class Segment {
  readonly number: number;
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly openedAt: number;
  /** Streams with records here that can still be found. */
  readonly streams: Set<number> = new Set();
  sizeBytes: number;
  #fd: number | undefined;
  #reads = 0;
  #isRemoved = false;

  constructor(options: {
    readonly number: number;
    readonly path: string;
    readonly openedAt: number;
    readonly sizeBytes?: number;
  }) {
    this.number = options.number;
    this.path = options.path;
    this.openedAt = options.openedAt;
    this.sizeBytes = options.sizeBytes ?? 0;
  }

  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** Writes all of it or throws what the disk says; then nothing of it is left in the file. */
  append(bytes: Buffer): void {
    const fd = (this.#fd ??= openSync(this.path, this.sizeBytes === 0 ? "w+" : "r+", 0o600));
    const before = this.sizeBytes;
    let done = 0;
    try {
      while (done < bytes.length) {
        done += writeSync(fd, bytes, done, bytes.length - done, before + done);
      }
    } catch (error) {
      this.truncate();
      throw error;
    }
    this.sizeBytes = before + bytes.length;
  }

  /** Cuts off what is behind `sizeBytes`; a disk that refuses that too leaves a torn record, which nobody reads. */
  truncate(): void {
    try {
      ftruncateSync(this.#descriptor(), this.sizeBytes);
    } catch {
      // The next segment goes on; the scan stops at the torn record of this one.
    }
  }

  readNow(offset: number, lengthBytes: number): Buffer {
    const buffer = Buffer.allocUnsafe(lengthBytes);
    const bytesRead = readSync(this.#descriptor(), buffer, 0, lengthBytes, offset);
    return bytesRead === lengthBytes ? buffer : buffer.subarray(0, bytesRead);
  }

  /** @throws `Error` when the file ends before */
  async read(offset: number, lengthBytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(lengthBytes);
    this.#reads += 1;
    try {
      const bytesRead = await new Promise<number>((resolve, reject) => {
        read(this.#descriptor(), buffer, 0, lengthBytes, offset, (error, count) => {
          if (error === null) resolve(count);
          else reject(error);
        });
      });
      if (bytesRead === lengthBytes) return buffer;
      throw new Error(`${this.path} ends after ${bytesRead} of ${lengthBytes} bytes at ${offset}`);
    } finally {
      this.#reads -= 1;
      if (this.#isRemoved) this.close();
    }
  }

  /** Takes the file away; reads under way end first. */
  remove(): void {
    this.#isRemoved = true;
    try {
      unlinkSync(this.path);
    } catch {
      // Never written, or gone already: what matters is that it is not there.
    }
    this.close();
  }

  close(): void {
    if (this.#fd === undefined || this.#reads > 0) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }

  #descriptor(): number {
    return (this.#fd ??= openSync(this.path, "r+"));
  }
}
