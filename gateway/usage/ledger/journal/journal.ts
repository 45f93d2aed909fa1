import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";

import type { LegBegin } from "../../../route/leg.ts";
import { knownSetsMax, segmentBytesMax, unwrittenBytesMax } from "../limits.ts";
import type { Outcome } from "../outcome.ts";
import {
  encodeLine,
  journalFormat,
  namesOf,
  parseSegmentFile,
  segmentFile,
  type Metadata,
} from "./record.ts";

/** Up to where the journal has been written: what lies before it is counted by a question that is asked now. */
export interface JournalPosition {
  /** Of the segment that is written now; those before it are complete. */
  readonly number: number;
  readonly bytes: number;
}

export interface JournalOptions {
  readonly directory: string;
  /** Of this process: legs of any other one that have not ended were interrupted. */
  readonly epoch: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Writing has begun to fail, or something had to be dropped. */
  readonly onFail?: (facts: { readonly cause: unknown; readonly lost: number }) => void;
  /** All that had waited in memory has been written. */
  readonly onCatchUp?: (facts: { readonly lost: number }) => void;
  readonly segmentBytes?: number;
  readonly unwrittenBytes?: number;
  /** Writes text to an open file and says how many bytes were taken; default: the system's. */
  readonly write?: (descriptor: number, text: string) => number;
}

/**
 * The append-only journal of legs: a line when one begins, a line when it ends, each written before the call goes on, so
 * that kill -9 loses nothing. It is not synchronized with the disk for each line: after a power cut the last second may
 * be missing. A failing disk never stops a call.
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #write: (descriptor: number, text: string) => number;
  readonly #segmentBytesMax: number;
  readonly #unwrittenBytesMax: number;
  /** Where the legs under way began. */
  readonly #open = new Map<string, { readonly segment: string; readonly number: number }>();
  #segment: Segment;
  #unwritten: string[] = [];
  #unwrittenBytes = 0;
  #isFailing = false;
  #lost = 0;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#write = options.write ?? writeSync;
    this.#segmentBytesMax = options.segmentBytes ?? segmentBytesMax;
    this.#unwrittenBytesMax = options.unwrittenBytes ?? unwrittenBytesMax;
    this.#segment = this.#createSegment(nextNumber(options.directory));
  }

  /** Lines that were dropped because the disk took nothing for too long. */
  get lost(): number {
    return this.#lost;
  }

  get hasUnwritten(): boolean {
    return this.#unwrittenBytes > 0;
  }

  get position(): JournalPosition {
    const { number, bytes } = this.#segment;
    return { number, bytes };
  }

  begin(leg: LegBegin): void {
    if (this.#open.has(leg.id)) return;
    const segment = this.#current();
    const number = segment.legs;
    segment.legs += 1;
    this.#open.set(leg.id, { segment: segment.name, number });
    const names = segment.numberOf(JSON.stringify(namesOf(leg)));
    const metadata = segment.numberOf(metadataText(leg.metadata));
    const id = leg.id === `${leg.callId}.${leg.index}` ? null : leg.id;
    const rest =
      leg.customCost === undefined
        ? id === null
          ? ""
          : `,${JSON.stringify(id)}`
        : `,${JSON.stringify(id)},${JSON.stringify(leg.customCost)}`;
    const callId = JSON.stringify(leg.callId);
    const line = `["b",${number},${callId},${leg.index},${leg.beganAtMs},${names},${metadata}${rest}]`;
    // Without its begin an end says nothing.
    if (!this.#append(segment.takeDefinitions() + encodeLine(line))) this.#open.delete(leg.id);
  }

  /** @returns false for a leg that has not begun here, or has ended: nothing is counted twice */
  end(legId: string, outcome: Outcome): boolean {
    const began = this.#open.get(legId);
    if (began === undefined) return false;
    this.#open.delete(legId);
    const segment = this.#current();
    const where = began.segment === segment.name ? "0" : JSON.stringify(began.segment);
    const line = `["e",${where},${began.number},${JSON.stringify(outcome)}]`;
    this.#append(segment.takeDefinitions() + encodeLine(line));
    return true;
  }

  /** Tries again what could not be written. */
  flush(): void {
    while (this.#unwritten.length > 0) {
      const text = this.#unwritten[0] ?? "";
      if (!this.#tryWrite(text)) return;
      this.#unwritten.shift();
      this.#unwrittenBytes -= text.length;
    }
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#options.onCatchUp?.({ lost: this.#lost });
  }

  close(): void {
    this.flush();
    this.#segment.close();
  }

  /** What waits belongs to the segment for which it was encoded, so a new one begins only when nothing does. */
  #current(): Segment {
    const segment = this.#segment;
    if (segment.bytes < this.#segmentBytesMax || this.hasUnwritten) return segment;
    segment.close();
    this.#segment = this.#createSegment(segment.number + 1);
    return this.#segment;
  }

  #createSegment(number: number): Segment {
    const { epoch, clock } = this.#options;
    const segment = new Segment(number);
    segment.define(JSON.stringify(["h", journalFormat, segment.name, epoch, clock()]));
    return segment;
  }

  /** @returns false when it was dropped */
  #append(text: string): boolean {
    if (this.hasUnwritten) this.flush();
    if (!this.hasUnwritten && this.#tryWrite(text)) return true;
    if (this.#unwrittenBytes + text.length > this.#unwrittenBytesMax) {
      this.#lost += 1;
      // What it defined was lost with it.
      this.#segment.forget();
      if (this.#lost === 1) this.#fail(new Error("the buffer of unwritten legs is full"));
      return false;
    }
    this.#unwritten.push(text);
    this.#unwrittenBytes += text.length;
    return true;
  }

  #tryWrite(text: string): boolean {
    const segment = this.#segment;
    try {
      segment.descriptor ??= this.#openFile(segment);
      // A line that was cut off must not swallow the next one.
      const whole = segment.isTorn ? `\n${text}` : text;
      const bytes = Buffer.byteLength(whole);
      const written = this.#write(segment.descriptor, whole);
      segment.bytes += written;
      segment.isTorn = written !== bytes;
      if (written === bytes) return true;
      throw new Error(`${written} of ${bytes} bytes could be written`);
    } catch (cause) {
      segment.isTorn = true;
      if (!this.#isFailing) this.#fail(cause);
      return false;
    }
  }

  #openFile(segment: Segment): number {
    const { directory } = this.#options;
    mkdirSync(directory, { recursive: true, mode: directoryMode });
    return openSync(join(directory, segmentFile(segment.number, segment.name)), "a", fileMode);
  }

  #fail(cause: unknown): void {
    this.#isFailing = true;
    this.#options.onFail?.({ cause, lost: this.#lost });
  }
}

/** Who called what is the operator's business only. */
const directoryMode = 0o700;
const fileMode = 0o600;
const segmentNameBytes = 8;

class Segment {
  readonly number: number;
  readonly name = randomBytes(segmentNameBytes).toString("hex");
  descriptor: number | undefined;
  bytes = 0;
  legs = 0;
  isTorn = false;
  readonly #sets = new Map<string, number>();
  #setCount = 0;
  #definitions = "";

  constructor(number: number) {
    this.number = number;
  }

  define(json: string): void {
    this.#definitions += encodeLine(json);
  }

  numberOf(json: string): number {
    const known = this.#sets.get(json);
    if (known !== undefined) return known;
    if (this.#sets.size >= knownSetsMax) this.#sets.clear();
    const number = this.#setCount;
    this.#setCount += 1;
    this.#sets.set(json, number);
    this.define(`["s",${number},${json}]`);
    return number;
  }

  takeDefinitions(): string {
    const definitions = this.#definitions;
    this.#definitions = "";
    return definitions;
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
  }

  /** What was defined by lines that are lost. */
  forget(): void {
    this.#sets.clear();
  }
}

/** Legs of one call share their metadata. */
const texts = new WeakMap<Metadata, string>();

function metadataText(metadata: Metadata): string {
  let text = texts.get(metadata);
  if (text === undefined) {
    text = JSON.stringify(metadata);
    texts.set(metadata, text);
  }
  return text;
}

function nextNumber(directory: string): number {
  try {
    const numbers = readdirSync(directory).map((file) => parseSegmentFile(file)?.number ?? 0);
    return Math.max(0, ...numbers) + 1;
  } catch {
    // Made with the first line.
    return 1;
  }
}
