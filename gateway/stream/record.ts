import { crc32 } from "node:zlib";

import type { EventKind } from "./event.ts";

/**
 * One record of the journal: a head of 24 bytes, then the payload. `open` says what is needed to answer with a stream
 * again, `event` is one event of it, `end` how it ended, `forget` that it is not to be found any more.
 *
 * Head, big-endian: CRC-32 of all that follows (4), length of the payload (4), type (1), kind of event (1), number of
 * the stream (6), index of the event (4), spare (4).
 */
export const headBytes = 24;
const checksumBytes = 4;

export type RecordType = "open" | "event" | "end" | "forget";

/** The codes are on disks: they must stay. */
const typeCodes = { open: 1, event: 2, end: 3, forget: 4 } as const;
const types: readonly (RecordType | undefined)[] = [undefined, "open", "event", "end", "forget"];

/** In the order of their codes. */
const kinds: readonly EventKind[] = [
  "start",
  "output",
  "log",
  "metric",
  "completed",
  "error",
  "raw",
  "restart",
  "handover",
];
const kindCodes = new Map(kinds.map((kind, code) => [kind, code]));

export interface RecordHead {
  readonly type: RecordType;
  readonly kind: EventKind;
  /** Number of the stream. */
  readonly stream: number;
  /** Of the event. */
  readonly index: number;
  readonly payloadBytes: number;
}

/** Writes a record into `target` at `at`, where there must be room for it. */
export function writeRecord(
  target: Buffer,
  at: number,
  record: {
    readonly type: RecordType;
    readonly kind?: EventKind;
    readonly stream: number;
    readonly index?: number;
    readonly payload: Buffer;
  },
): void {
  const { payload } = record;
  target.writeUInt32BE(payload.length, at + 4);
  target[at + 8] = typeCodes[record.type];
  target[at + 9] = kindCodes.get(record.kind ?? "start") ?? 0;
  target.writeUIntBE(record.stream, at + 10, 6);
  target.writeUInt32BE(record.index ?? 0, at + 16);
  target.writeUInt32BE(0, at + 20);
  payload.copy(target, at + headBytes);
  target.writeUInt32BE(checksum(target, at, payload.length), at);
}

/** The head at `at`; undefined for bytes that are none, as after a write that was cut off. */
export function readHead(bytes: Buffer, at: number): RecordHead | undefined {
  const type = types[bytes[at + 8] ?? 0];
  const kind = kinds[bytes[at + 9] ?? kinds.length];
  if (type === undefined || kind === undefined) return undefined;
  return {
    type,
    kind,
    stream: bytes.readUIntBE(at + 10, 6),
    index: bytes.readUInt32BE(at + 16),
    payloadBytes: bytes.readUInt32BE(at + 4),
  };
}

/** Whether the record at `at`, which is there as a whole, is as it was written. */
export function isIntact(bytes: Buffer, at: number, payloadBytes: number): boolean {
  return bytes.readUInt32BE(at) === checksum(bytes, at, payloadBytes);
}

function checksum(bytes: Buffer, at: number, payloadBytes: number): number {
  return crc32(bytes.subarray(at + checksumBytes, at + headBytes + payloadBytes));
}
