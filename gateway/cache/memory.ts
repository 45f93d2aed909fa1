import { sizeOf, type CachedAnswer } from "./answer.ts";

/** The answers that were asked for last, up to a bound of bytes. */
export class MemoryCache {
  readonly #bytesMax: number;
  /** The one that was not asked for longest comes first. */
  readonly #answers = new Map<string, { readonly answer: CachedAnswer; readonly bytes: number }>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#answers.size;
  }

  /** Without being used. */
  peek(key: string): CachedAnswer | undefined {
    return this.#answers.get(key)?.answer;
  }

  get(key: string): CachedAnswer | undefined {
    const found = this.#answers.get(key);
    if (found === undefined) return undefined;
    this.#answers.delete(key);
    this.#answers.set(key, found);
    return found.answer;
  }

  put(key: string, answer: CachedAnswer): void {
    this.delete(key);
    const bytes = sizeOf(answer);
    if (bytes > this.#bytesMax) return;
    this.#answers.set(key, { answer, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#answers.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const found = this.#answers.get(key);
    if (found === undefined) return;
    this.#answers.delete(key);
    this.#bytes -= found.bytes;
  }

  /** Removes those for which it holds. */
  deleteWhere(isOver: (answer: CachedAnswer) => boolean): void {
    for (const [key, { answer }] of this.#answers) if (isOver(answer)) this.delete(key);
  }
}
