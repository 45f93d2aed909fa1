/** A queue that refuses what does not fit, and says why. */
export class BoundedQueue<Item> {
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  #items: { readonly item: Item; readonly bytes: number }[] = [];
  #head = 0;
  #bytes = 0;

  constructor(limits: { readonly entriesMax: number; readonly bytesMax?: number }) {
    this.#entriesMax = limits.entriesMax;
    this.#bytesMax = limits.bytesMax ?? Number.POSITIVE_INFINITY;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Undefined when it was taken, else the bound that it does not fit in. */
  push(item: Item, bytes: number): "entries" | "bytes" | undefined {
    if (this.size >= this.#entriesMax) return "entries";
    if (this.#bytes + bytes > this.#bytesMax) return "bytes";
    this.#items.push({ item, bytes });
    this.#bytes += bytes;
    return undefined;
  }

  /** The oldest ones, at most so many. */
  take(count: number): readonly Item[] {
    const taken = this.#items.slice(this.#head, this.#head + count);
    this.#head += taken.length;
    for (const { bytes } of taken) this.#bytes -= bytes;
    // Moved together once half of it is empty, so that taking costs no more than what is taken.
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return taken.map(({ item }) => item);
  }
}
