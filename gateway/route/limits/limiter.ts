import { GatewayError } from "../../errors.ts";
import type { Standing } from "./counter.ts";
import { Counters } from "./counters.ts";
import type { Charge } from "./meter.ts";
import { measureWords } from "./words.ts";
import type { LimitRule } from "./rule.ts";
import { inputTokensOf, partitionFor, type LimitSubject } from "./subject.ts";

/** How a limit stands for a call. */
export interface LimitState {
  readonly rule: LimitRule;
  readonly partition: string;
  readonly standings: readonly Standing[];
  readonly isOpen: boolean;
  /** Until it opens; 0 when it is. */
  readonly retryAfterMs: number;
}

/** Asks and charges limits. Everything is in memory and synchronous: between a look and a charge nothing comes in. */
export class Limiter {
  readonly counters: Counters;
  readonly clock: () => number;

  constructor(options: { readonly clock: () => number; readonly countersMax?: number }) {
    this.clock = options.clock;
    this.counters = new Counters(
      options.countersMax === undefined ? {} : { max: options.countersMax },
    );
  }

  /** How a rule stands for a call; nothing is counted. */
  look(rule: LimitRule, subject: LimitSubject): LimitState {
    const partition = partitionFor(rule, subject);
    const standings = this.counters.get(rule, partition).standings(rule, this.clock());
    const retryAfterMs = Math.max(0, ...standings.map(({ opensInMs }) => opensInMs));
    return { rule, partition, standings, isOpen: retryAfterMs === 0, retryAfterMs };
  }

  /** Counts a call, whether the rule is open or not. */
  charge(rule: LimitRule, subject: LimitSubject): Charge {
    const counter = this.counters.get(rule, partitionFor(rule, subject));
    return { counter, taken: counter.take(this.clock(), inputTokensOf(subject)) };
  }
}

/** The refusal of a call by a limit. */
export function limitError(state: LimitState, name: string): GatewayError {
  const { rule, partition, standings, retryAfterMs } = state;
  const shut = standings.filter(({ opensInMs }) => opensInMs > 0);
  const what = shut.map((standing) => measureWords(standing, rule)).join(" and ");
  const whose = partition === "" ? "" : ` (${partition})`;
  return new GatewayError("rate_limited", `The limit ${name}${whose} is reached: ${what}.`, {
    retryAfterMs,
    hint: `Try again in ${Math.ceil(retryAfterMs / 1_000)} s.`,
  });
}
