import type { LimitRule } from "./rule.ts";
import { Window, type Mark } from "./window.ts";

/** Money is counted as the ledger does. */
export const nanoUsdPerUsd = 1_000_000_000;

export const measures = ["requests", "tokens", "usd", "concurrency"] as const;
export type Measure = (typeof measures)[number];

/** How one measure of a limit stands. */
export interface Standing {
  readonly measure: Measure;
  readonly limit: number;
  readonly remaining: number;
  /** Until all of it is there again, if nothing is asked for; 0 for calls at once. */
  readonly resetMs: number;
  /** Until the next call would be let in; 0: it would now. */
  readonly opensInMs: number;
}

/** What one call has taken of a counter. */
export interface Taken {
  readonly requests: Mark;
  readonly tokens: Mark;
  /** Counted beforehand, from the size of the input. */
  readonly estimatedTokens: number;
}

/** A slot is free again when a call ends, and nobody knows when: clients that wait ask again after this time. */
const slotRetryMs = 1_000;

/** The use of one rule by all calls that are counted together. */
export class Counter {
  readonly #requests: Window;
  readonly #tokens: Window;
  /** In nano-USD. */
  readonly #money: Window;
  readonly windowMs: number;
  readonly technique: LimitRule["technique"];
  underWay = 0;

  constructor({ windowMs, technique }: LimitRule) {
    this.windowMs = windowMs;
    this.technique = technique;
    this.#requests = new Window(windowMs, technique);
    this.#tokens = new Window(windowMs, technique);
    this.#money = new Window(windowMs, technique);
  }

  /** How each measure stands that the rule limits. */
  standings(rule: LimitRule, nowMs: number): readonly Standing[] {
    const found: Standing[] = [];
    const add = (measure: Measure, window: Window, limit: number, scale = 1): void => {
      found.push({
        measure,
        limit,
        remaining: Math.max(0, limit - window.used(nowMs) / scale),
        resetMs: window.emptyInMs(nowMs),
        opensInMs: window.opensInMs(nowMs, limit * scale),
      });
    };
    if (rule.requests !== undefined) add("requests", this.#requests, rule.requests);
    if (rule.tokens !== undefined) add("tokens", this.#tokens, rule.tokens);
    if (rule.usd !== undefined) add("usd", this.#money, rule.usd, nanoUsdPerUsd);
    if (rule.concurrency !== undefined) {
      found.push({
        measure: "concurrency",
        limit: rule.concurrency,
        remaining: Math.max(0, rule.concurrency - this.underWay),
        resetMs: 0,
        opensInMs: this.underWay < rule.concurrency ? 0 : slotRetryMs,
      });
    }
    return found;
  }

  take(nowMs: number, estimatedTokens: number): Taken {
    this.underWay += 1;
    return {
      requests: this.#requests.add(nowMs, 1),
      tokens: this.#tokens.add(nowMs, estimatedTokens),
      estimatedTokens,
    };
  }

  /** A try of the call has ended: what it used counts now. */
  use(nowMs: number, used: { readonly tokens: number; readonly nanoUsd: number }): void {
    this.#tokens.add(nowMs, used.tokens);
    this.#money.add(nowMs, used.nanoUsd);
  }

  /** The call has ended: the guess is taken back, and its request when it never reached a model. */
  end(taken: Taken, options: { readonly hasReached: boolean }): void {
    this.underWay -= 1;
    this.#tokens.giveBack(taken.tokens, taken.estimatedTokens);
    if (!options.hasReached) this.#requests.giveBack(taken.requests, 1);
  }
}
