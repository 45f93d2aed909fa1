const newline = 0x0a;
const carriageReturn = 0x0d;

/**
 * Counts the events of a stream of bytes: one ends with an empty line. Lines end with `\n`, `\r\n` or `\r`, as the
 * specification of server-sent events has it.
 */
export class FrameCounter {
  /** Events that are complete so far. */
  count = 0;
  /** A line that holds nothing yet. */
  #isLineEmpty = true;
  #isAfterReturn = false;
  /** Something else than empty lines since the last event. */
  #hasContent = false;

  /** Reads on until `wanted` events are complete; returns how many of the bytes that took. */
  read(bytes: Buffer, wanted: number = Number.POSITIVE_INFINITY): number {
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte === newline && this.#isAfterReturn) {
        this.#isAfterReturn = false;
        continue;
      }
      if (this.count >= wanted) return at;
      this.#isAfterReturn = byte === carriageReturn;
      if (byte !== newline && byte !== carriageReturn) {
        this.#isLineEmpty = false;
        this.#hasContent = true;
        continue;
      }
      if (this.#isLineEmpty && this.#hasContent) {
        this.count += 1;
        this.#hasContent = false;
      }
      this.#isLineEmpty = true;
    }
    return bytes.length;
  }
}

/** Drops the first `count` events of a stream of bytes. */
export function createFrameSkipper(count: number): (bytes: Buffer) => Buffer {
  const frames = new FrameCounter();
  return (bytes) => bytes.subarray(frames.read(bytes, count));
}

/** Puts before each event an `id:` line with the number of events up to it, for readers that come back by it. */
export function createFrameNumberer(from: number): (bytes: Buffer) => Buffer {
  let next = from;
  return (bytes) => {
    const pieces: Buffer[] = [];
    let rest = bytes;
    while (rest.length > 0) {
      const length = new FrameCounter().read(rest, 1);
      next += 1;
      pieces.push(Buffer.from(`id: ${next}\n`), rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    return Buffer.concat(pieces);
  };
}
