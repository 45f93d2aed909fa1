import type { GatewayErrorCode } from "../../errors.ts";
import type { Leg, LegState } from "../../route/leg.ts";
import type { LeaseStart } from "../../upstream/upstream.ts";
import type { CostLine } from "../../usage/accounts.ts";
import { formatUsd } from "../../usage/money.ts";
import type { CallRecord } from "../call-record.ts";
import { errorCharactersMax } from "../limits.ts";

type Metadata = Readonly<Record<string, string | number | boolean>>;

/** One call as the log tells it. Times in milliseconds with three decimals. */
export interface LogEntry {
  /** The call's: `cf-aig-log-id`, `x-byom-prediction`. */
  readonly id: string;
  readonly requestId?: string;
  readonly eventId?: string;
  /** `openai`, `anthropic`, `replicate`, `workers-ai`, `ai-gateway`, `cog`; absent for one that was run again after a restart. */
  readonly surface?: string;
  readonly path?: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly durationMs: number;
  /** From the call's beginning to the first output. */
  readonly firstOutputMs?: number;
  readonly requestedModel: string;
  readonly model: string;
  readonly task: string;
  /** Of the leg that answered, or was tried last; empty when none was begun. */
  readonly provider: string;
  readonly route?: string;
  readonly keyId?: string;
  readonly metadata: Metadata;
  readonly isStreamed: boolean;
  readonly isCached: boolean;
  readonly status: CallRecord["status"];
  /** 200, or the HTTP status that the gateway has for the error's code; a surface may have told it by another one. */
  readonly statusCode: number;
  readonly code?: GatewayErrorCode;
  readonly error?: string;
  /** Of all legs together, those from the cache only where there is no other. */
  readonly tokensIn?: number;
  readonly tokensOut?: number;
  readonly cachedTokens?: number;
  readonly reasoningTokens?: number;
  /** Some of the tokens are a guess. */
  readonly isEstimated?: boolean;
  /** 10⁻⁹ US dollars. */
  readonly nanoUsd: number;
  /** The same as a decimal number of US dollars. */
  readonly costUsd: string;
  readonly hasCustomCost?: boolean;
  /** How the instance that answered had started. */
  readonly start?: LeaseStart;
  readonly legs: readonly LogLeg[];
  readonly traceId?: string;
  /** Whether input and output are kept. */
  readonly hasPayload: boolean;
  /** Size of input and output before they were cut, when they are kept. */
  readonly requestBytes?: number;
  readonly responseBytes?: number;
  readonly feedback?: number;
  readonly score?: number;
}

export interface LogLeg {
  readonly id: string;
  readonly index: number;
  /** Since the call's beginning. */
  readonly afterMs: number;
  readonly durationMs: number;
  readonly firstOutputMs?: number;
  readonly model: string;
  readonly version: number;
  readonly provider: string;
  readonly upstreamModel: string;
  readonly state: LegState;
  readonly status?: number;
  readonly code?: GatewayErrorCode;
  readonly error?: string;
  readonly tokensIn?: number;
  readonly tokensOut?: number;
  readonly isEstimated?: boolean;
  readonly nanoUsd: number;
  readonly lines?: readonly CostLine[];
  readonly isUnpriced?: boolean;
  readonly isCallersKey?: boolean;
  readonly start?: LeaseStart;
  readonly instanceId?: string;
}

/** A call as an entry. Absent members are left out by JSON. */
export function toLogEntry(
  call: CallRecord,
  more: { readonly traceId?: string | undefined } = {},
): Omit<LogEntry, "statusCode" | "hasPayload"> {
  const { legs, origin } = call;
  const last = answeringLeg(legs);
  return withoutUndefined({
    id: call.id,
    requestId: origin?.requestId,
    eventId: origin?.eventId,
    surface: origin?.surface,
    path: origin?.path,
    createdAt: new Date(call.beganAtMs).toISOString(),
    durationMs: milliseconds(call.durationMs),
    firstOutputMs: optionalMs(call.firstOutputMs),
    requestedModel: call.requestedModel,
    model: call.model,
    task: call.task,
    provider: last?.provider ?? "",
    route: call.route,
    keyId: call.keyId,
    metadata: call.metadata,
    isStreamed: call.isStreamed,
    isCached: call.isCached,
    status: call.status,
    code: call.code,
    error: call.error?.slice(0, errorCharactersMax),
    ...sumOfTokens(legs),
    nanoUsd: call.nanoUsd,
    costUsd: formatUsd(call.nanoUsd),
    hasCustomCost: last?.customCost === undefined ? undefined : true,
    start: last?.end.start,
    legs: legs.map((leg) => toLogLeg(leg, call.beganAtMs)),
    traceId: more.traceId ?? origin?.traceId,
  }) as Omit<LogEntry, "statusCode" | "hasPayload">;
}

/** The leg that answered, else the one that ended last. */
export function answeringLeg(legs: readonly Leg[]): Leg | undefined {
  return (
    legs.findLast(({ end: { state } }) => state === "succeeded" || state === "cached") ??
    legs.at(-1)
  );
}

export interface TokenSum {
  readonly tokensIn?: number;
  readonly tokensOut?: number;
  readonly cachedTokens?: number;
  readonly reasoningTokens?: number;
  readonly isEstimated?: boolean;
}

/** Tokens of all legs that were sent; of the cache's when nothing was. */
export function sumOfTokens(legs: readonly Leg[]): TokenSum {
  const sent = legs.filter(({ end: { state } }) => state !== "cached");
  const usages = (sent.length > 0 ? sent : legs).flatMap(({ end: { usage } }) => usage ?? []);
  if (usages.length === 0) return {};
  const sum = (values: readonly (number | undefined)[]): number | undefined =>
    values.every((value) => value === undefined)
      ? undefined
      : values.reduce<number>((total, value) => total + (value ?? 0), 0);
  return withoutUndefined({
    tokensIn: sum(usages.map(({ inputTokens }) => inputTokens)),
    tokensOut: sum(usages.map(({ outputTokens }) => outputTokens)),
    cachedTokens: sum(usages.map(({ cachedTokens }) => cachedTokens)),
    reasoningTokens: sum(usages.map(({ reasoningTokens }) => reasoningTokens)),
    isEstimated: usages.some(({ isEstimated }) => isEstimated) ? true : undefined,
  });
}

function toLogLeg(leg: Leg, callBeganAtMs: number): LogLeg {
  const { cost, end } = leg;
  return withoutUndefined({
    id: leg.id,
    index: leg.index,
    afterMs: leg.beganAtMs - callBeganAtMs,
    durationMs: milliseconds(end.durationMs),
    firstOutputMs: optionalMs(end.firstOutputMs),
    model: leg.model,
    version: end.version ?? leg.version,
    provider: leg.provider,
    upstreamModel: leg.upstreamModel,
    state: end.state,
    status: end.status,
    code: end.code,
    error: end.error?.slice(0, errorCharactersMax),
    tokensIn: end.usage?.inputTokens,
    tokensOut: end.usage?.outputTokens,
    isEstimated: end.usage?.isEstimated === true || cost.isEstimated ? true : undefined,
    nanoUsd: cost.nanoUsd,
    lines: cost.lines.length > 0 ? cost.lines : undefined,
    isUnpriced: cost.isPriced ? undefined : true,
    isCallersKey: leg.isCallersKey ? true : undefined,
    start: end.start,
    instanceId: end.instanceId,
  }) as LogLeg;
}

function milliseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

function optionalMs(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : milliseconds(ms);
}

/** JSON leaves these members out; the types are told so. */
function withoutUndefined<Value extends object>(
  value: Value,
): { [Name in keyof Value]: Exclude<Value[Name], undefined> } {
  return value as { [Name in keyof Value]: Exclude<Value[Name], undefined> };
}
