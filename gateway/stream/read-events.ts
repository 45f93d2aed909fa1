import type { StreamEvent } from "./event.ts";
import type { EventIndex, EventPlace } from "./event-index.ts";
import { readBytesMax, readGapBytes, readPiecesMax } from "./journal-limits.ts";
import { headBytes, readHead } from "./record.ts";

/** Bytes of a segment that are read together. */
export interface Piece {
  readonly segment: number;
  readonly from: number;
  readonly to: number;
}

export interface Reading {
  /** Of consecutive events; empty when the first of them is not on the disk. */
  readonly places: readonly EventPlace[];
  readonly pieces: readonly Piece[];
}

/** What to read for the events from `from` on: a bounded part, in as few pieces as the events of others allow. */
export function planReading(events: EventIndex, from: number): Reading {
  const places: EventPlace[] = [];
  const pieces: { readonly segment: number; readonly from: number; to: number }[] = [];
  let sizeBytes = 0;
  for (let index = from; index < events.length; index += 1) {
    const place = events.at(index);
    if (place === undefined) break;
    const end = place.offset + headBytes + place.payloadBytes;
    const last = pieces.at(-1);
    const isNear = last?.segment === place.segment && place.offset - last.to <= readGapBytes;
    sizeBytes += end - (isNear ? last.to : place.offset);
    if (places.length > 0 && sizeBytes > readBytesMax) break;
    if (isNear) last.to = end;
    else if (pieces.length === readPiecesMax) break;
    else pieces.push({ segment: place.segment, from: place.offset, to: end });
    places.push(place);
  }
  return { places, pieces };
}

/** The events in what was read. @throws `Error` for what is not what the index says */
export function eventsIn(
  { places }: Reading,
  read: readonly { readonly piece: Piece; readonly bytes: Buffer }[],
  from: number,
): readonly StreamEvent[] {
  let at = 0;
  return places.map((place, position) => {
    let found = read[at];
    while (found !== undefined && !holds(found.piece, place)) found = read[(at += 1)];
    const index = from + position;
    if (found === undefined) throw misplaced(index);
    return eventAt(found.bytes, place.offset - found.piece.from, index);
  });
}

/** The event whose record lies at `at`. @throws `Error` when it is another one */
export function eventAt(bytes: Buffer, at: number, index: number): StreamEvent {
  const head = readHead(bytes, at);
  if (head?.index !== index) throw misplaced(index);
  const from = at + headBytes;
  return { index, kind: head.kind, data: bytes.subarray(from, from + head.payloadBytes) };
}

function holds(piece: Piece, { segment, offset }: EventPlace): boolean {
  return piece.segment === segment && offset >= piece.from && offset < piece.to;
}

function misplaced(index: number): Error {
  return new Error(`The journal has no event ${index} where it should.`);
}
