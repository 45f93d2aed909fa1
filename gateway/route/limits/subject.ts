import type { KeyIdentity } from "../../keys/keys.ts";
import { estimatedTokens } from "../../usage/usage.ts";
import { fieldOf, type CallFacts } from "../dynamic/facts.ts";
import { partitionOf } from "./counters.ts";
import type { LimitRule } from "./rule.ts";

export type Metadata = Readonly<Record<string, string | number | boolean>>;

/** Whose call it is that a limit looks at. */
export interface LimitSubject {
  readonly facts: CallFacts;
  readonly key: KeyIdentity | undefined;
  /** The model that is tried first. */
  readonly model: string | undefined;
  readonly route: string | undefined;
}

/** The values by which a rule counts this call apart. */
export function partitionFor(rule: LimitRule, subject: LimitSubject): string {
  return partitionOf(rule, (field) => {
    if (field === "model") return subject.model;
    if (field === "route") return subject.route;
    return fieldOf(subject.facts, field);
  });
}

/** What the input may have in tokens, counted until the model says it. */
export function inputTokensOf({ facts }: LimitSubject): number {
  return facts.inputBytes === undefined ? 0 : estimatedTokens(facts.inputBytes);
}
