export interface SseScanner {
  /** Takes the next bytes; calls `onEvent` for each event that they complete. Throws beyond `eventBytesMax`. */
  push(chunk: Buffer): void;
  /** Bytes of an event that has not ended. */
  readonly pendingBytes: number;
}

export interface SseScannerOptions {
  readonly eventBytesMax: number;
  /** `data` is a copy, so that a small event does not keep a whole read buffer alive. */
  readonly onEvent: (name: string, data: Buffer) => void;
}

const newline = 0x0a;
const carriageReturn = 0x0d;
const colon = 0x3a;
const space = 0x20;

/**
 * Finds the ends of server-sent events in bytes, whatever the chunk boundaries. Only the field names are decoded;
 * comments are dropped. (WHATWG HTML, "Interpreting an event stream"; a lone CR as line end is not understood.)
 */
export function createSseScanner(options: SseScannerOptions): SseScanner {
  let parts: Buffer[] = [];
  let partsBytes = 0;
  /** Length of the unfinished line, and whether it is a single CR so far. */
  let lineBytes = 0;
  let isLineCarriageReturn = false;

  const finish = (tail: Buffer): void => {
    const event = parts.length === 0 ? tail : Buffer.concat([...parts, tail]);
    parts = [];
    partsBytes = 0;
    emit(event, options.onEvent);
  };

  return {
    get pendingBytes() {
      return partsBytes;
    },
    push(chunk) {
      let start = 0;
      let lineStart = 0;
      for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, at + 1)) {
        const inChunk = at - lineStart;
        const isEmpty =
          lineBytes + inChunk === 0 ||
          (lineBytes + inChunk === 1 &&
            (inChunk === 1 ? chunk[lineStart] === carriageReturn : isLineCarriageReturn));
        if (isEmpty) {
          finish(chunk.subarray(start, at + 1));
          start = at + 1;
        }
        lineBytes = 0;
        lineStart = at + 1;
      }
      const rest = chunk.length - lineStart;
      if (rest > 0) {
        isLineCarriageReturn = lineBytes === 0 && rest === 1 && chunk[lineStart] === carriageReturn;
        lineBytes += rest;
      }
      if (start < chunk.length) {
        parts.push(Buffer.from(chunk.subarray(start)));
        partsBytes += chunk.length - start;
        if (partsBytes > options.eventBytesMax) {
          throw new RangeError(`An event is larger than ${options.eventBytesMax} bytes`);
        }
      }
    },
  };
}

function emit(event: Buffer, onEvent: SseScannerOptions["onEvent"]): void {
  let name = "message";
  const data: Buffer[] = [];
  let from = 0;
  while (from < event.length) {
    const newlineAt = event.indexOf(newline, from);
    const end = newlineAt === -1 ? event.length : newlineAt;
    const line = event.subarray(from, event[end - 1] === carriageReturn ? end - 1 : end);
    from = end + 1;
    const colonAt = line.indexOf(colon);
    if (line.length === 0 || colonAt === 0) continue;
    const field = line.toString("latin1", 0, colonAt === -1 ? line.length : colonAt);
    const valueAt = colonAt === -1 ? line.length : colonAt + (line[colonAt + 1] === space ? 2 : 1);
    if (field === "event") name = line.toString("utf8", valueAt);
    else if (field === "data") data.push(line.subarray(valueAt));
  }
  if (data.length === 0) return;
  onEvent(name, data.length === 1 ? Buffer.from(data[0] ?? "") : joinLines(data));
}

function joinLines(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(
    lines.flatMap((line, index) => (index === 0 ? [line] : [Buffer.from("\n"), line])),
  );
}
