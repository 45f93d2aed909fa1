import type { CallRecord } from "../call-record.ts";
import { answeringLeg } from "./entry.ts";
import { defaultRule, type Keep, type LogMatch, type LogRule } from "./settings.ts";

/** What of a call is kept. */
export interface Choice {
  readonly isLogged: boolean;
  readonly hasPayload: boolean;
}

const everything: Choice = { isLogged: true, hasPayload: true };
const entryOnly: Choice = { isLogged: true, hasPayload: false };
const nothing: Choice = { isLogged: false, hasPayload: false };

/** What the rules and the caller say about a call together. */
export function choose(call: CallRecord, rules: readonly LogRule[]): Choice {
  const { log, payload } = rules.length === 0 ? defaultRule : ruleOf(call, rules);
  const isFailed = call.status !== "succeeded";
  if (!isKept(log, call.origin?.collectLog, isFailed)) return nothing;
  const hasPayload = isKept(payload, call.origin?.collectPayload, isFailed);
  return hasPayload ? everything : entryOnly;
}

function isKept(keep: Keep, asked: boolean | undefined, isFailed: boolean): boolean {
  if (keep === "never" || asked === false) return false;
  if (keep === "always" || asked === true) return true;
  return keep === "failed" && isFailed;
}

function ruleOf(call: CallRecord, rules: readonly LogRule[]): typeof defaultRule {
  let log: Keep | undefined;
  let payload: Keep | undefined;
  for (const rule of rules) {
    if (log !== undefined && payload !== undefined) break;
    if (rule.match !== undefined && !fits(call, rule.match)) continue;
    log ??= rule.log;
    payload ??= rule.payload;
  }
  return { log: log ?? defaultRule.log, payload: payload ?? defaultRule.payload };
}

function fits(call: CallRecord, match: LogMatch): boolean {
  const { key, route, model, provider, surface, metadata } = match;
  return (
    isLike(call.keyId, key) &&
    isLike(call.route, route) &&
    (isLike(call.model, model) || isLike(call.requestedModel, model)) &&
    (provider === undefined || isLike(answeringLeg(call.legs)?.provider, provider)) &&
    isLike(call.origin?.surface, surface) &&
    Object.entries(metadata ?? {}).every(([name, value]) => call.metadata[name] === value)
  );
}

function isLike(value: string | undefined, pattern: string | undefined): boolean {
  if (pattern === undefined) return true;
  if (value === undefined) return false;
  return pattern.endsWith("*") ? value.startsWith(pattern.slice(0, -1)) : value === pattern;
}
