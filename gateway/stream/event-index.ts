/** Where an event lies: a segment's number, the offset of its record there, the bytes of its payload. */
export interface EventPlace {
  readonly segment: number;
  readonly offset: number;
  readonly payloadBytes: number;
}

const fields = 3;
const firstCapacity = 8;
/** Offset of an event that never reached the disk. */
const lost = 0xff_ff_ff_ff;

/** The places of one stream's events, 12 bytes each. */
export class EventIndex {
  #places = new Uint32Array();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get sizeBytes(): number {
    return this.#places.byteLength;
  }

  push(segment: number, offset: number, payloadBytes: number): void {
    const at = this.#length * fields;
    if (at === this.#places.length) {
      const grown = new Uint32Array(Math.max(firstCapacity * fields, at * 2));
      grown.set(this.#places);
      this.#places = grown;
    }
    this.#places[at] = segment;
    this.#places[at + 1] = offset;
    this.#places[at + 2] = payloadBytes;
    this.#length += 1;
  }

  /** An event that is nowhere. */
  pushLost(): void {
    this.push(0, lost, 0);
  }

  /** Undefined for an event that never reached the disk, and for one that is not there yet. */
  at(index: number): EventPlace | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    const at = index * fields;
    const offset = this.#places[at + 1] ?? lost;
    if (offset === lost) return undefined;
    return {
      segment: this.#places[at] ?? 0,
      offset,
      payloadBytes: this.#places[at + 2] ?? 0,
    };
  }

  /** Gives back what was reserved for events to come. */
  trim(): void {
    if (this.#length * fields < this.#places.length) {
      this.#places = this.#places.slice(0, this.#length * fields);
    }
  }
}
