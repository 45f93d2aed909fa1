import { streamTtlMaxMs, scanBytes } from "./journal-limits.ts";
import { KeptStream, type OpenRecord } from "./kept-stream.ts";
import { headBytes, isIntact, readHead, type RecordHead } from "./record.ts";
import type { Segment } from "./segment.ts";

export interface Scanned {
  /** Those that can be found, whether they have ended or not, by number. */
  readonly streams: ReadonlyMap<number, KeptStream>;
  /** The highest number of a stream that was seen. */
  readonly lastNumber: number;
}

/**
 * Reads what a former process wrote, the oldest file first. A file counts up to its first record that is torn or
 * damaged; what is behind it is cut off. Of two streams with one id the later one holds.
 */
export function scanSegments(segments: readonly Segment[]): Scanned {
  const scan = new Scan();
  for (const segment of segments) {
    const sizeBytes = scan.read(segment);
    if (sizeBytes === segment.sizeBytes) continue;
    segment.sizeBytes = sizeBytes;
    segment.truncate();
  }
  return scan;
}

class Scan implements Scanned {
  readonly streams = new Map<number, KeptStream>();
  readonly #numbers = new Map<string, number>();
  lastNumber = 0;

  /** Returns how many bytes of the segment are good. */
  read(segment: Segment): number {
    let good = 0;
    let bytes: Buffer = Buffer.alloc(0);
    let start = 0;
    for (;;) {
      const at = good - start;
      const head = at + headBytes <= bytes.length ? readHead(bytes, at) : undefined;
      const neededBytes = headBytes + (head?.payloadBytes ?? 0);
      if (head !== undefined && at + neededBytes <= bytes.length) {
        if (!isIntact(bytes, at, head.payloadBytes)) return good;
        const payload = bytes.subarray(at + headBytes, at + neededBytes);
        this.#take(segment, { head, offset: good, payload });
        good += neededBytes;
        continue;
      }
      if (at + headBytes <= bytes.length && head === undefined) return good;
      // What is not whole in this piece is read again with what follows.
      const leftBytes = segment.sizeBytes - good;
      const wantedBytes = Math.min(Math.max(scanBytes, neededBytes), leftBytes);
      if (leftBytes < neededBytes || wantedBytes <= bytes.length - at) return good;
      bytes = segment.readNow(good, wantedBytes);
      start = good;
      if (bytes.length < neededBytes) return good;
    }
  }

  #take(
    segment: Segment,
    record: { readonly head: RecordHead; readonly offset: number; readonly payload: Buffer },
  ): void {
    const { head, offset, payload } = record;
    const place = { segment: segment.number, offset, payloadBytes: payload.length };
    this.lastNumber = Math.max(this.lastNumber, head.stream);
    const stream =
      head.type === "open" ? this.#open(head.stream, payload) : this.streams.get(head.stream);
    if (stream === undefined) return;
    if (head.type === "forget") {
      this.#drop(stream);
      return;
    }
    stream.touch(segment.number);
    if (head.type === "open") stream.opened = place;
    else if (head.type === "end") stream.ended = place;
    else this.#event(stream, head, place);
  }

  #event(
    stream: KeptStream,
    head: RecordHead,
    place: { readonly segment: number; readonly offset: number; readonly payloadBytes: number },
  ): void {
    // Events that a disk refused at the time.
    while (stream.events.length < head.index) {
      stream.isWhole = false;
      stream.events.pushLost();
    }
    if (stream.events.length === head.index) {
      stream.events.push(place.segment, place.offset, place.payloadBytes);
    }
  }

  #open(number: number, payload: Buffer): KeptStream | undefined {
    const { id, ttlMs, facts } = JSON.parse(payload.toString("utf8")) as OpenRecord;
    if (facts === null) return undefined;
    const former = this.streams.get(this.#numbers.get(id) ?? 0);
    if (former !== undefined) this.#drop(former);
    const stream = new KeptStream({
      number,
      id,
      isKept: true,
      ttlMs: Math.min(ttlMs, streamTtlMaxMs),
    });
    this.streams.set(number, stream);
    this.#numbers.set(id, number);
    return stream;
  }

  #drop(stream: KeptStream): void {
    this.streams.delete(stream.number);
    this.#numbers.delete(stream.id);
  }
}
