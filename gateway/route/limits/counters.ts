import { Counter, type Standing } from "./counter.ts";
import type { LimitRule } from "./rule.ts";

/**
 * Counters in memory, some 1 KiB each. Beyond it the one that was used longest ago is forgotten (calls under way
 * speak for it): a flood of made-up metadata values costs no memory, only the old counts of others.
 */
export const countersMax = 20_000;
/** How many are looked at for one that is free to be forgotten. */
const evictionLooks = 64;

/** A value of a field that is counted apart; longer ones are cut. */
const partitionCharactersMax = 200;

/** The counters of all limits, by rule and by the values that it counts apart. */
export class Counters {
  readonly #counters = new Map<string, Counter>();
  readonly #max: number;

  constructor(options: { readonly max?: number } = {}) {
    this.#max = options.max ?? countersMax;
  }

  get size(): number {
    return this.#counters.size;
  }

  /** The counter of a rule for the values of its `per` fields. Moved to the end: it was used last. */
  get(rule: LimitRule, partition: string): Counter {
    const name = `${rule.id}\n${partition}`;
    let counter = this.#counters.get(name);
    const isOld =
      counter !== undefined &&
      (counter.windowMs !== rule.windowMs || counter.technique !== rule.technique);
    if (counter === undefined || isOld) {
      this.#makeRoom();
      const underWay = counter?.underWay ?? 0;
      counter = new Counter(rule);
      counter.underWay = underWay;
    } else {
      this.#counters.delete(name);
    }
    this.#counters.set(name, counter);
    return counter;
  }

  /** What is counted for a rule now, without making anything. */
  list(
    rule: LimitRule,
    nowMs: number,
  ): readonly { readonly partition: string; readonly standings: readonly Standing[] }[] {
    const prefix = `${rule.id}\n`;
    return [...this.#counters].flatMap(([name, counter]) =>
      name.startsWith(prefix)
        ? [{ partition: name.slice(prefix.length), standings: counter.standings(rule, nowMs) }]
        : [],
    );
  }

  /** Forgets what was counted for a rule that is gone. */
  forget(ruleId: string): void {
    for (const name of this.#counters.keys()) {
      if (name.startsWith(`${ruleId}\n`)) this.#counters.delete(name);
    }
  }

  #makeRoom(): void {
    if (this.#counters.size < this.#max) return;
    let looks = 0;
    let victim: string | undefined;
    for (const [name, counter] of this.#counters) {
      victim ??= name;
      looks += 1;
      if (counter.underWay === 0) {
        victim = name;
        break;
      }
      if (looks >= evictionLooks) break;
    }
    if (victim !== undefined) this.#counters.delete(victim);
  }
}

/** The values by which a rule counts apart, as one text. */
export function partitionOf(rule: LimitRule, valueOf: (field: string) => unknown): string {
  return rule.per
    .map((field) => {
      const value = valueOf(field);
      const text = value === undefined || value === null ? "" : printable(value);
      return `${field}=${text.slice(0, partitionCharactersMax)}`;
    })
    .join(" ");
}

function printable(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replaceAll("\n", " ");
}
