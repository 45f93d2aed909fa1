import type { IncomingHttpHeaders } from "node:http";

import { GatewayError } from "../errors.ts";
import {
  backoffs,
  streamRecoveries,
  type Backoff,
  type RoutePolicy,
  type StreamRecovery,
} from "../route/policy.ts";
import type { CustomCost } from "../route/leg.ts";
import type { CallOrigin } from "../telemetry/call-record.ts";
import { readCount, readFlag } from "./aig-headers.ts";
import type { Call } from "./call.ts";

/** What the HTTP request of a call says beside its input, for logs and spans. @throws `GatewayError` `invalid_request` */
export function originOf(call: Call): CallOrigin {
  const { headers } = call.request;
  const url = call.request.url ?? "/";
  const queryAt = url.indexOf("?");
  const eventId = textOf(headers, "cf-aig-event-id");
  const collectLog = readFlag("collect-log", textOf(headers, "cf-aig-collect-log"));
  const collectPayload = readFlag(
    "collect-log-payload",
    textOf(headers, "cf-aig-collect-log-payload"),
  );
  const trace = traceOf(headers);
  return {
    requestId: call.requestId,
    surface: call.surface,
    path: queryAt === -1 ? url : url.slice(0, queryAt),
    ...(eventId !== undefined && { eventId }),
    ...(collectLog !== undefined && { collectLog }),
    ...(collectPayload !== undefined && { collectPayload }),
    ...trace,
  };
}

const traceParent = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/;
const traceId = /^[0-9a-f]{32}$/;
const spanId = /^[0-9a-f]{16}$/;
const none = {};

/** Cloudflare's headers come before W3C's; what is malformed is nobody's trace. */
function traceOf(headers: IncomingHttpHeaders): Pick<CallOrigin, "traceId" | "parentSpanId"> {
  const own = textOf(headers, "cf-aig-otel-trace-id")?.toLowerCase();
  if (own !== undefined && traceId.test(own)) {
    const parent = textOf(headers, "cf-aig-otel-parent-span-id")?.toLowerCase();
    return {
      traceId: own,
      ...(parent !== undefined && spanId.test(parent) && { parentSpanId: parent }),
    };
  }
  const w3c = textOf(headers, "traceparent");
  if (w3c === undefined) return none;
  const [, trace, parent] = traceParent.exec(w3c.toLowerCase()) ?? [];
  return trace === undefined || parent === undefined
    ? none
    : { traceId: trace, parentSpanId: parent };
}

/** Decimal US dollars; an exponent or a sign is no price. */
const decimal = /^\d{1,12}(?:\.\d{1,18})?$/;

/**
 * `cf-aig-custom-cost`: `{"per_token_in", "per_token_out"}` or `{"total_cost"}`, numbers or texts of US dollars.
 * @throws `GatewayError` `invalid_request`
 */
export function customCostOf(headers: IncomingHttpHeaders): CustomCost | undefined {
  const text = textOf(headers, "cf-aig-custom-cost");
  if (text === undefined) return undefined;
  let value: Readonly<Record<string, unknown>> | null;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    throw invalid("cf-aig-custom-cost", "is not valid JSON");
  }
  const { per_token_in: input, per_token_out: output, total_cost: total } = value ?? {};
  if (total !== undefined) return { total: dollars(total) };
  if (input === undefined && output === undefined) {
    throw invalid("cf-aig-custom-cost", "must have total_cost, or per_token_in and per_token_out");
  }
  return { perTokenIn: dollars(input ?? 0), perTokenOut: dollars(output ?? 0) };
}

function dollars(value: unknown): string {
  const text =
    typeof value === "number" && Number.isFinite(value) ? decimalOf(value) : String(value);
  if (decimal.test(text)) return text;
  throw invalid("cf-aig-custom-cost", "must give amounts as decimal numbers of US dollars");
}

/** Small numbers are written with an exponent: `2.5e-7` is a usual price of a token. */
function decimalOf(value: number): string {
  const written = String(value);
  return written.includes("e") ? value.toFixed(18).replace(/0+$/, "").replace(/\.$/, "") : written;
}

/**
 * What a call says about how it is carried (`cf-aig-max-attempts`, `-retry-delay`, `-backoff`, `-request-timeout`,
 * `x-byom-on-cut`); it comes before what its route says. Undefined when it says nothing.
 * @throws `GatewayError` `invalid_request` naming the header at fault
 */
export function callPolicyOf(headers: IncomingHttpHeaders): Partial<RoutePolicy> | undefined {
  const attempts = textOf(headers, "cf-aig-max-attempts");
  const delay = textOf(headers, "cf-aig-retry-delay");
  const backoff = textOf(headers, "cf-aig-backoff");
  const timeout = textOf(headers, "cf-aig-request-timeout");
  const onCut = textOf(headers, "x-byom-on-cut");
  if ((attempts ?? delay ?? backoff ?? timeout ?? onCut) === undefined) return undefined;
  return callPolicy({
    attempts: readCount("max-attempts", attempts, attemptsMax),
    retryDelayMs: readCount("retry-delay", delay, retryDelayMsMax),
    backoff,
    requestTimeoutMs: readCount("request-timeout", timeout),
    onCut,
  });
}

/** As Cloudflare bounds them. */
export const attemptsMax = 5;
export const retryDelayMsMax = 5_000;

/** The same from options in a body. @throws `GatewayError` `invalid_request` */
export function callPolicy(given: {
  readonly attempts?: number | undefined;
  readonly retryDelayMs?: number | undefined;
  readonly backoff?: string | undefined;
  /** To the first byte of the answer; 0: no limit. */
  readonly requestTimeoutMs?: number | undefined;
  readonly onCut?: string | undefined;
}): Partial<RoutePolicy> {
  const { attempts, retryDelayMs, backoff, requestTimeoutMs, onCut } = given;
  if (backoff !== undefined && !isOneOf<Backoff>(backoffs, backoff)) {
    throw invalid("cf-aig-backoff", `must be one of ${backoffs.join(", ")}`);
  }
  if (onCut !== undefined && !isOneOf<StreamRecovery>(streamRecoveries, onCut)) {
    throw invalid("x-byom-on-cut", `must be one of ${streamRecoveries.join(", ")}`);
  }
  return {
    ...(attempts !== undefined && { attempts: Math.max(1, attempts) }),
    ...(retryDelayMs !== undefined && { retryDelayMs }),
    ...(backoff !== undefined && { backoff }),
    ...(requestTimeoutMs !== undefined &&
      requestTimeoutMs > 0 && {
        deadlines: { firstOutputMs: requestTimeoutMs, startMs: requestTimeoutMs },
      }),
    ...(onCut !== undefined && { onStreamCut: onCut }),
  };
}

function isOneOf<Word extends string>(words: readonly Word[], text: string): text is Word {
  return (words as readonly string[]).includes(text);
}

function textOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function invalid(where: string, what: string): GatewayError {
  return new GatewayError("invalid_request", `${where} ${what}.`, { parameter: where });
}
