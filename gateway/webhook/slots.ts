/** Counts what is under way, per origin and in all; who comes first is served first. */
export class Slots {
  readonly #perOriginMax: number;
  readonly #inFlightMax: number;
  readonly #active = new Map<string, number>();
  readonly #waiting: { readonly origin: string; readonly begin: () => void }[] = [];
  #inFlight = 0;

  constructor(options: { readonly perOriginMax: number; readonly inFlightMax: number }) {
    this.#perOriginMax = options.perOriginMax;
    this.#inFlightMax = options.inFlightMax;
  }

  /** Resolves once there is room; the returned function gives it back. */
  async take(origin: string): Promise<() => void> {
    if (!this.#hasRoom(origin)) {
      await new Promise<void>((begin) => this.#waiting.push({ origin, begin }));
    } else {
      this.#count(origin, 1);
    }
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      this.#count(origin, -1);
      this.#serve();
    };
  }

  #serve(): void {
    const at = this.#waiting.findIndex(({ origin }) => this.#hasRoom(origin));
    const [next] = at === -1 ? [] : this.#waiting.splice(at, 1);
    if (next === undefined) return;
    this.#count(next.origin, 1);
    next.begin();
  }

  #hasRoom(origin: string): boolean {
    return (
      this.#inFlight < this.#inFlightMax && (this.#active.get(origin) ?? 0) < this.#perOriginMax
    );
  }

  #count(origin: string, change: 1 | -1): void {
    this.#inFlight += change;
    const active = (this.#active.get(origin) ?? 0) + change;
    if (active === 0) this.#active.delete(origin);
    else this.#active.set(origin, active);
  }
}
