import { wordDimensions, type StoredLeg } from "./stored-leg.ts";

/** What can be added up over legs. */
export interface Measure {
  readonly name: string;
  /** Whole numbers only, so that a sum does not depend on the order of the legs. */
  readonly read: (leg: StoredLeg) => number;
}

/** Seconds and megapixels are kept in millionths. */
export const microPerUnit = 1_000_000;

const isState =
  (state: number) =>
  ({ words }: StoredLeg): number =>
    words[stateIndex] === state ? 1 : 0;
const stateIndex = wordDimensions.indexOf("state");
const payerIndex = wordDimensions.indexOf("payer");

function unit(name: string, scale: number): (leg: StoredLeg) => number {
  return ({ facts }) => {
    let sum = 0;
    for (const [of, quantity] of facts.lines ?? []) if (of === name) sum += quantity;
    return Math.round(sum * scale);
  };
}

interface UnitMeasure {
  readonly name: string;
  readonly unit: string;
  readonly scale: number;
}

/** Units whose quantities are summed, under the name that an answer gives them. */
export const unitMeasures: readonly UnitMeasure[] = [
  { name: "images", unit: "image", scale: 1 },
  { name: "videos", unit: "video", scale: 1 },
  { name: "characters", unit: "character", scale: 1 },
  { name: "megapixels", unit: "megapixel", scale: microPerUnit },
  { name: "seconds", unit: "second", scale: microPerUnit },
  { name: "audioSeconds", unit: "audio-second", scale: microPerUnit },
  { name: "videoSeconds", unit: "video-second", scale: microPerUnit },
  { name: "gpuSeconds", unit: "gpu-second", scale: microPerUnit },
  { name: "instanceSeconds", unit: "instance-second", scale: microPerUnit },
  { name: "coldStartSeconds", unit: "cold-start-second", scale: microPerUnit },
];

/** Words whose legs are counted. */
export const measuredWords = [
  "failed",
  "canceled",
  "abandoned",
  "cached",
  "interrupted",
  "caller",
] as const;
export type WordNumbers = Readonly<Record<(typeof measuredWords)[number], number>>;

export function measuresFor(words: WordNumbers): readonly Measure[] {
  const isCallers = (leg: StoredLeg): boolean => leg.words[payerIndex] === words.caller;
  return [
    { name: "nanoUsd", read: (leg: StoredLeg): number => (isCallers(leg) ? 0 : leg.facts.nanoUsd) },
    {
      name: "callersNanoUsd",
      read: (leg: StoredLeg): number => (isCallers(leg) ? leg.facts.nanoUsd : 0),
    },
    { name: "inputTokens", read: ({ facts }: StoredLeg): number => facts.tokens?.[0] ?? 0 },
    { name: "outputTokens", read: ({ facts }: StoredLeg): number => facts.tokens?.[1] ?? 0 },
    { name: "cachedTokens", read: ({ facts }: StoredLeg): number => facts.tokens?.[2] ?? 0 },
    { name: "reasoningTokens", read: ({ facts }: StoredLeg): number => facts.tokens?.[3] ?? 0 },
    ...unitMeasures.map(({ name, unit: of, scale }) => ({ name, read: unit(of, scale) })),
    { name: "durationMs", read: ({ facts }: StoredLeg): number => facts.durationMs },
    { name: "failedLegs", read: isState(words.failed) },
    { name: "canceledLegs", read: isState(words.canceled) },
    { name: "abandonedLegs", read: isState(words.abandoned) },
    { name: "cachedLegs", read: isState(words.cached) },
    { name: "interruptedLegs", read: isState(words.interrupted) },
    { name: "retriedLegs", read: ({ index }: StoredLeg): number => (index > 0 ? 1 : 0) },
    { name: "callersKeyLegs", read: (leg: StoredLeg): number => (isCallers(leg) ? 1 : 0) },
    {
      name: "estimatedLegs",
      read: ({ facts }: StoredLeg): number => (facts.isEstimated === true ? 1 : 0),
    },
    {
      name: "unpricedLegs",
      read: ({ facts }: StoredLeg): number => (facts.isUnpriced === true ? 1 : 0),
    },
  ];
}

/** The values of one column, one for each leg of a block. */
export type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array;
/** All legs have the same value. */
export type Constant = number;

const kinds = [Uint8Array, Uint16Array, Uint32Array, Float64Array] as const;
/** In front of the values, so that they stay aligned. */
const headerBytes = 8;

/** A column in as few bytes as its largest value takes; undefined when all values are 0. */
export function encodeColumn(values: readonly number[]): Uint8Array | undefined {
  let max = 0;
  let isConstant = true;
  const [first = 0] = values;
  for (const value of values) {
    if (value > max) max = value;
    if (value < 0) max = Number.POSITIVE_INFINITY;
    if (value !== first) isConstant = false;
  }
  if (isConstant && first === 0) return undefined;
  const stored: readonly number[] = isConstant ? [first] : values;
  const kind = max < 0x1_00 ? 0 : max < 0x1_00_00 ? 1 : max < 0x1_0000_0000 ? 2 : 3;
  const Kind = kinds[kind];
  const buffer = new ArrayBuffer(headerBytes + stored.length * Kind.BYTES_PER_ELEMENT);
  const bytes = new Uint8Array(buffer);
  bytes[0] = kind;
  bytes[1] = isConstant ? 1 : 0;
  new Kind(buffer, headerBytes).set(stored);
  return bytes;
}

export function decodeColumn(bytes: Uint8Array): Column | Constant {
  const Kind = kinds[(bytes[0] ?? 0) as 0 | 1 | 2 | 3];
  const buffer =
    bytes.byteOffset === 0 && bytes.buffer instanceof ArrayBuffer
      ? bytes.buffer
      : new Uint8Array(bytes).buffer;
  const length = (bytes.byteLength - headerBytes) / Kind.BYTES_PER_ELEMENT;
  const values = new Kind(buffer, headerBytes, length);
  return bytes[1] === 1 ? (values[0] ?? 0) : values;
}
