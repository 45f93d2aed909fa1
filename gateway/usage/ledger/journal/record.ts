import { crc32 } from "node:zlib";

import type { CustomCost, LegBegin } from "../../../route/leg.ts";
import type { Outcome } from "../outcome.ts";

/**
 * A segment of the journal is lines of `CRC32 JSON`: what a kill or a full disk left half written is recognized and
 * passed by. Each line is an array whose first item says what it is.
 */
export type JournalRecord =
  /** The first line: format, the segment's own name, and the process that wrote it. */
  | readonly ["h", typeof journalFormat, segment: string, epoch: string, createdAtMs: number]
  /** A value to which the lines after it refer by number: names of a leg, or metadata. */
  | readonly ["s", number: number, value: LegNames | Metadata]
  | readonly [
      "b",
      number: number,
      callId: string,
      index: number,
      beganAtMs: number,
      names: number,
      metadata: number,
      /** When it is not `CALL.INDEX`. */
      id?: string | null,
      customCost?: CustomCost,
    ]
  /** `segment` is where the leg began: 0 for this one. */
  | readonly ["e", segment: string | 0, number: number, outcome: Outcome];

export const journalFormat = 1;

export type Metadata = LegBegin["metadata"];

/** What legs have in common: model, version, provider, upstream's model, key, route, whether the caller's key paid. */
export type LegNames = readonly [
  model: string,
  version: number,
  provider: string,
  upstreamModel: string,
  keyId: string | null,
  route: string | null,
  isCallersKey: 0 | 1,
];

export function namesOf(leg: LegBegin): LegNames {
  const { model, version, provider, upstreamModel, keyId, route, isCallersKey } = leg;
  return [
    model,
    version,
    provider,
    upstreamModel,
    keyId ?? null,
    route ?? null,
    isCallersKey ? 1 : 0,
  ];
}

const checksumCharacters = 8;

/** One line of a segment, its end included. */
export function encodeLine(json: string): string {
  return `${crc32(json).toString(16).padStart(checksumCharacters, "0")}${json}\n`;
}

/** Undefined for a line that is not whole. */
export function decodeLine(line: string): JournalRecord | undefined {
  const json = line.slice(checksumCharacters);
  if (json === "" || crc32(json) !== Number.parseInt(line.slice(0, checksumCharacters), 16)) {
    return undefined;
  }
  return JSON.parse(json) as JournalRecord;
}

/** `00000012-1f2e3d4c.log`: segments are read in the order of their numbers, and known by their own name. */
const namePattern = /^(\d{8,})-([0-9a-f]{16})\.log$/;

export interface SegmentName {
  readonly number: number;
  readonly segment: string;
  readonly file: string;
}

export function segmentFile(number: number, segment: string): string {
  return `${String(number).padStart(8, "0")}-${segment}.log`;
}

export function parseSegmentFile(file: string): SegmentName | undefined {
  const match = namePattern.exec(file);
  return match === null ? undefined : { number: Number(match[1]), segment: match[2] ?? "", file };
}
