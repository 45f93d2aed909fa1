import { GatewayError } from "../../errors.ts";
import { mayCall } from "../../keys/authorize.ts";
import type { KeyIdentity } from "../../keys/keys.ts";
import type { Candidate } from "../candidate.ts";
import type { LimitState } from "../limits/limiter.ts";
import type { LimitRule } from "../limits/rule.ts";
import type { Route } from "./book.ts";
import { evaluate, type Decision, type PlannedLeg } from "./evaluate.ts";
import type { CallFacts } from "./facts.ts";
import { legCandidates, type LegSources } from "./legs.ts";
import { modelRoutePrefix } from "./document.ts";

/** What a route says to one call. */
export interface PlannedCall {
  readonly candidates: readonly Candidate[];
  readonly legs: readonly PlannedLeg[];
  readonly decisions: readonly Decision[];
  /** Legs that were passed over, and why. */
  readonly skipped: readonly { readonly node: string; readonly failure: GatewayError }[];
  readonly refusedBy?: LimitRule;
}

export interface PlanOptions {
  readonly facts: CallFacts;
  readonly key: KeyIdentity | undefined;
  readonly providerKey: string | undefined;
  readonly sources: LegSources;
  readonly random: () => number;
  /** How a limit on the way stands; `isFirst` when no leg comes before it. */
  readonly look: (rule: LimitRule, isFirst: boolean) => LimitState;
}

/** Which models a route has a call try, in their order. Nothing is thrown: what cannot serve is passed over. */
export function planCall(route: Route, options: PlanOptions): PlannedCall {
  const { facts, random, look, sources, providerKey } = options;
  const { legs, decisions, refusedBy } = evaluate(route.plan.graph, {
    facts,
    random,
    mayPass(rule, isFirst) {
      const { isOpen, standings, partition } = look(rule, isFirst);
      return { isOpen, by: { limit: rule.id, ...(partition !== "" && { partition }), standings } };
    },
  });
  const candidates: Candidate[] = [];
  const skipped: { node: string; failure: GatewayError }[] = [];
  for (const { node, plan } of legs) {
    try {
      const found = legCandidates({ ...plan, node }, sources, providerKey);
      for (const candidate of found) assertAllowed(route, options.key, candidate);
      candidates.push(...found);
    } catch (error) {
      skipped.push({ node, failure: GatewayError.from(error) });
    }
  }
  return { candidates, legs, decisions, skipped, ...(refusedBy !== undefined && { refusedBy }) };
}

/**
 * A key that may call the route may call its models through it; else those of its models that it may call by themselves.
 */
function assertAllowed(route: Route, key: KeyIdentity | undefined, { entry }: Candidate): void {
  const isByRoute = !route.fullName.startsWith(modelRoutePrefix) && mayCall(key, route.fullName);
  if (isByRoute || mayCall(key, entry.id)) return;
  throw new GatewayError("forbidden", `The API key ${key?.name} may not call ${entry.id}.`, {
    parameter: "model",
    hint: `It is for ${key?.models?.join(", ")}.`,
  });
}
