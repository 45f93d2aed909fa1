import { crc32 } from "node:zlib";

import type { EventKind } from "../stream/event.ts";

export interface CachedEvent {
  readonly kind: EventKind;
  readonly data: Buffer;
}

/** A successful, complete answer as its run's events; a whole answer in a provider's shape is one `raw` event. */
export interface CachedAnswer {
  /** The catalog's id. */
  readonly model: string;
  /** Milliseconds since the epoch. */
  readonly storedAtMs: number;
  readonly expiresAtMs: number;
  readonly events: readonly CachedEvent[];
}

/** Of an event beside its bytes (object, array slot, header). */
const eventOverheadBytes = 64;

export function sizeOf({ events }: Pick<CachedAnswer, "events">): number {
  return events.reduce((sum, { data }) => sum + data.length + eventOverheadBytes, 0);
}

const format = "byom-cache-1";

interface Head {
  readonly format: string;
  readonly key: string;
  readonly model: string;
  readonly storedAtMs: number;
  readonly expiresAtMs: number;
  /** Kind and length of each event. */
  readonly events: readonly (readonly [EventKind, number])[];
  readonly crc32: number;
}

/** A line of JSON, then the events' bytes one after the other. */
export function encodeAnswer(key: string, answer: CachedAnswer): Buffer {
  const { model, storedAtMs, expiresAtMs, events } = answer;
  const bytes = Buffer.concat(events.map(({ data }) => data));
  const head: Head = {
    format,
    key,
    model,
    storedAtMs,
    expiresAtMs,
    events: events.map(({ kind, data }) => [kind, data.length]),
    crc32: crc32(bytes),
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), bytes]);
}

/** Undefined for anything but a whole answer of that key. */
export function decodeAnswer(key: string, file: Buffer): CachedAnswer | undefined {
  const end = file.indexOf(0x0a);
  const head = end === -1 ? undefined : parseHead(file.toString("utf8", 0, end));
  if (head === undefined || head.format !== format || head.key !== key) return undefined;
  const bytes = file.subarray(end + 1);
  if (crc32(bytes) !== head.crc32) return undefined;
  const events: CachedEvent[] = [];
  let from = 0;
  for (const [kind, length] of head.events) {
    events.push({ kind, data: bytes.subarray(from, from + length) });
    from += length;
  }
  if (from !== bytes.length) return undefined;
  const { model, storedAtMs, expiresAtMs } = head;
  return { model, storedAtMs, expiresAtMs, events };
}

function parseHead(line: string): Head | undefined {
  try {
    const head = JSON.parse(line) as Partial<Head> | null;
    const isHead =
      typeof head?.crc32 === "number" &&
      typeof head.model === "string" &&
      typeof head.storedAtMs === "number" &&
      typeof head.expiresAtMs === "number" &&
      Array.isArray(head.events) &&
      head.events.every((event) => Array.isArray(event) && typeof event[1] === "number");
    return isHead ? (head as Head) : undefined;
  } catch {
    return undefined;
  }
}
