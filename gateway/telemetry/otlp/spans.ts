import { randomBytes } from "node:crypto";

import type { Leg } from "../../route/leg.ts";
import type { CallRecord } from "../call-record.ts";
import { errorCharactersMax } from "../limits.ts";
import { answeringLeg, sumOfTokens } from "../logs/entry.ts";
import { names, operationOf } from "./names.ts";
import { attributesOf, spanKind, statusError, unixNano, type Span } from "./wire.ts";

const traceIdBytes = 16;
const spanIdBytes = 8;

export function newTraceId(): string {
  return randomBytes(traceIdBytes).toString("hex");
}

/** One span for the call, under its caller's, and one for each of its legs. */
export function spansOf(
  call: CallRecord,
  options: {
    readonly traceId: string;
    /** Host and port of a provider, or nothing for an own model. */
    readonly addressOf: (provider: string) => ServerAddress | undefined;
  },
): readonly Span[] {
  const { traceId, addressOf } = options;
  const spanId = newSpanId();
  const parent = call.origin?.parentSpanId;
  const operation = operationOf(call.task);
  const root: Span = {
    traceId,
    spanId,
    ...(parent !== undefined && { parentSpanId: parent }),
    name: `${operation} ${call.requestedModel}`,
    kind: spanKind.server,
    startTimeUnixNano: unixNano(call.beganAtMs),
    endTimeUnixNano: unixNano(call.beganAtMs, call.durationMs),
    attributes: callAttributes(call, operation),
    status: spanStatus(call.status === "succeeded" ? undefined : (call.error ?? call.status)),
  };
  const legs = call.legs.map((leg) =>
    legSpan(leg, { traceId, parentSpanId: spanId, operation, addressOf }),
  );
  return [root, ...legs];
}

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

function callAttributes(call: CallRecord, operation: string): Span["attributes"] {
  const { origin } = call;
  const { tokensIn, tokensOut } = sumOfTokens(call.legs);
  const provider = answeringLeg(call.legs)?.provider;
  return attributesOf({
    [names.operationName]: operation,
    [names.providerName]: provider,
    [names.cloudflareProvider]: provider,
    [names.requestModel]: call.requestedModel,
    [names.responseModel]: call.model,
    [names.responseId]: call.id,
    [names.inputTokens]: tokensIn,
    [names.outputTokens]: tokensOut,
    [names.cloudflareCost]: call.nanoUsd / 1e9,
    [names.costNanoUsd]: call.nanoUsd,
    [names.errorType]: errorType(call.code, call.status),
    [names.surface]: origin?.surface,
    [names.urlPath]: origin?.path,
    [names.requestId]: origin?.requestId,
    [names.eventId]: origin?.eventId,
    [names.status]: call.status,
    [names.keyId]: call.keyId,
    [names.route]: call.route,
    [names.isCached]: call.isCached,
    [names.isStreamed]: call.isStreamed,
    [names.firstOutputMs]: call.firstOutputMs,
    ...Object.fromEntries(
      Object.entries(call.metadata).map(([key, value]) => [names.metadata + key, value]),
    ),
  });
}

function legSpan(
  leg: Leg,
  options: {
    readonly traceId: string;
    readonly parentSpanId: string;
    readonly operation: string;
    readonly addressOf: (provider: string) => ServerAddress | undefined;
  },
): Span {
  const { cost, end } = leg;
  const { traceId, parentSpanId, operation } = options;
  const address = options.addressOf(leg.provider);
  const isGood = end.state === "succeeded" || end.state === "cached";
  return {
    traceId,
    spanId: newSpanId(),
    parentSpanId,
    name: `${operation} ${leg.upstreamModel}`,
    kind: spanKind.client,
    startTimeUnixNano: unixNano(leg.beganAtMs),
    endTimeUnixNano: unixNano(leg.beganAtMs, end.durationMs),
    attributes: attributesOf({
      [names.operationName]: operation,
      [names.providerName]: leg.provider,
      [names.cloudflareProvider]: leg.provider,
      [names.requestModel]: leg.upstreamModel,
      [names.responseModel]: leg.model,
      [names.responseId]: leg.id,
      [names.inputTokens]: end.usage?.inputTokens,
      [names.outputTokens]: end.usage?.outputTokens,
      [names.cloudflareCost]: cost.nanoUsd / 1e9,
      [names.costNanoUsd]: cost.nanoUsd,
      [names.errorType]: errorType(end.code, isGood ? "succeeded" : end.state),
      [names.serverAddress]: address?.host,
      [names.serverPort]: address?.port,
      [names.httpStatus]: end.status,
      [names.legIndex]: leg.index,
      [names.legState]: end.state,
      [names.startMode]: end.start?.mode,
      [names.startMs]: end.start?.totalMs,
      [names.firstOutputMs]: end.firstOutputMs,
    }),
    status: spanStatus(isGood ? undefined : (end.error ?? end.state)),
  };
}

function errorType(code: string | undefined, status: string): string | undefined {
  return status === "succeeded" ? undefined : (code ?? status);
}

function spanStatus(error: string | undefined): Span["status"] {
  return error === undefined
    ? {}
    : { code: statusError, message: error.slice(0, errorCharactersMax) };
}

function newSpanId(): string {
  return randomBytes(spanIdBytes).toString("hex");
}
