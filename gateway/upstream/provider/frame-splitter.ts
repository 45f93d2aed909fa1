export interface FrameSplitter {
  /** Takes the next bytes; calls `onFrame` for each event that they complete. Throws `RangeError` beyond the bound. */
  push(chunk: Buffer): void;
}

const newline = 0x0a;
const carriageReturn = 0x0d;

/**
 * Cuts a stream of server-sent events into whole events, as bytes with the empty line at their end, whatever the chunk
 * boundaries. An event within one chunk is a view of it, not a copy.
 */
export function createFrameSplitter(options: {
  readonly frameBytesMax: number;
  readonly onFrame: (frame: Buffer) => void;
}): FrameSplitter {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  /** The last three bytes before this chunk, as far as they belong to the unfinished event. */
  let tail: readonly number[] = [];

  const before = (chunk: Buffer, at: number, back: number): number | undefined =>
    at - back >= 0 ? chunk[at - back] : tail[tail.length + at - back];

  /** Whether the newline here ends an empty line: LF LF, LF CR LF. */
  const isEnd = (chunk: Buffer, at: number): boolean => {
    const previous = before(chunk, at, 1);
    if (previous === newline) return true;
    return previous === carriageReturn && before(chunk, at, 2) === newline;
  };

  const emit = (last: Buffer): void => {
    const frame = pending.length === 0 ? last : Buffer.concat([...pending, last]);
    pending = [];
    pendingBytes = 0;
    // An empty line alone is no event.
    if (frame.length > 2) options.onFrame(frame);
  };

  return {
    push(chunk) {
      let start = 0;
      for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, at + 1)) {
        const isFirst = at === start && pendingBytes === 0;
        if (!isFirst && !isEnd(chunk, at)) continue;
        emit(chunk.subarray(start, at + 1));
        start = at + 1;
        tail = [];
      }
      if (start === chunk.length) return;
      const rest = chunk.subarray(start);
      pending.push(rest);
      pendingBytes += rest.length;
      if (pendingBytes > options.frameBytesMax) {
        throw new RangeError(`An event is larger than ${options.frameBytesMax} bytes`);
      }
      tail = [...tail, ...rest.subarray(-3)].slice(-3);
    },
  };
}
