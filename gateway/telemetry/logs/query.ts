import { GatewayError } from "../../errors.ts";
import { logPageMax } from "../limits.ts";
import { decimalPattern } from "../../catalog/store/records.ts";
import type { Condition, LogField, Operator, Value } from "./condition.ts";

/** The query of `/api/v1/logs` with what each parameter does, for the API's document, too. */
export const logQuery: Readonly<Record<string, string>> = {
  from: "Calls that began at this time or later: ISO 8601, or 15m, 2h, 7d ago",
  to: "Calls that began before this time",
  model: "Model that answered; owner/* for all of an owner",
  requested_model: "Model as the caller named it",
  provider: "byom, or a provider's name",
  key: "Id of the API key",
  route: "dynamic/NAME",
  surface: "openai, anthropic, replicate, workers-ai, ai-gateway, cog",
  status: "succeeded, failed, canceled, aborted; several with commas",
  code: "Error code, such as upstream_timeout; several with commas",
  status_code: "HTTP status; several with commas",
  metadata: "KEY=VALUE, or KEY alone; repeatable, all must hold",
  min_cost: "US dollars",
  min_duration: "Milliseconds",
  text: "Words in the error, or in a kept input or output; each may go on",
  cached: "true or false",
  streamed: "true or false",
  id: "Id of the call (x-byom-prediction, cf-aig-log-id)",
  request_id: "x-request-id",
  event_id: "cf-aig-event-id",
  trace_id: "32 hexadecimal digits",
  feedback: "1 or -1",
};

/** Where a page of the list begins, and how long it is. */
export const pageQuery: Readonly<Record<string, string>> = {
  limit: `Entries of a page (default 50, at most ${logPageMax})`,
  cursor: "`next` of the page before",
};

/**
 * The conditions that a query means.
 * @throws `GatewayError` `invalid_request` naming the parameter, also for one that does not exist
 */
export function readLogQuery(
  query: URLSearchParams,
  options: { readonly nowMs: number; readonly others?: readonly string[] },
): readonly Condition[] {
  const { nowMs, others = [] } = options;
  const unknown = [...query.keys()].find(
    (name) => !Object.hasOwn(logQuery, name) && !others.includes(name),
  );
  if (unknown !== undefined) {
    throw invalid(unknown, `is not known; there are ${Object.keys(logQuery).join(", ")}`);
  }
  return [...query]
    .filter(([name, value]) => value !== "" && !others.includes(name))
    .map(([name, value]) => readCondition(name, value, nowMs));
}

/** @throws `GatewayError` `invalid_request` */
export function readPage(query: URLSearchParams): {
  readonly limit: number;
  readonly beyond?: number;
} {
  const limit = numberOf("limit", query.get("limit") ?? String(pageDefault));
  const cursor = query.get("cursor");
  return {
    limit: Math.min(Math.max(1, Math.floor(limit)), logPageMax),
    ...(cursor !== null && cursor !== "" && { beyond: numberOf("cursor", cursor) }),
  };
}

const pageDefault = 50;
const wordsMax = 16;

const texts: Readonly<Record<string, LogField>> = {
  model: "model",
  requested_model: "requestedModel",
  provider: "provider",
  key: "keyId",
  route: "route",
  surface: "surface",
  id: "id",
  request_id: "requestId",
  event_id: "eventId",
  trace_id: "traceId",
};

function readCondition(name: string, value: string, nowMs: number): Condition {
  const textField = texts[name];
  if (textField !== undefined) return field(textField, "like", [value]);
  switch (name) {
    case "from":
      return field("createdAt", "gte", [readTime(name, value, nowMs)]);
    case "to":
      return field("createdAt", "lt", [readTime(name, value, nowMs)]);
    case "status":
      return field("status", "eq", value.split(","));
    case "code":
      return field("code", "eq", value.split(","));
    case "status_code":
      return field(
        "statusCode",
        "eq",
        value.split(",").map((one) => numberOf(name, one)),
      );
    case "min_cost":
      return field("nanoUsd", "gte", [nanoUsdOf(name, value)]);
    case "min_duration":
      return field("durationMs", "gte", [numberOf(name, value)]);
    case "cached":
      return field("isCached", "eq", [flagOf(name, value)]);
    case "streamed":
      return field("isStreamed", "eq", [flagOf(name, value)]);
    case "feedback":
      return field("feedback", "eq", [numberOf(name, value)]);
    case "metadata":
      return readMetadata(value);
    default:
      return { kind: "text", words: wordsOf(name, value) };
  }
}

function field(name: LogField, operator: Operator, values: readonly Value[]): Condition {
  return { kind: "field", field: name, operator, values };
}

function readMetadata(value: string): Condition {
  const equals = value.indexOf("=");
  return {
    kind: "metadata",
    keys: [equals === -1 ? value : value.slice(0, equals)],
    values: equals === -1 ? [] : [value.slice(equals + 1)],
    operator: "eq",
  };
}

/** Words as the index has them: letters and digits; what stands between them separates. */
export function wordsOf(name: string, text: string): readonly string[] {
  const words = text.match(/[\p{L}\p{N}_]+/gu) ?? [];
  if (words.length === 0) throw invalid(name, "has no word to look for");
  return words.slice(0, wordsMax).flatMap((word) => word.split("_").filter((part) => part !== ""));
}

const unitsMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 60 * 60_000,
  d: 24 * 60 * 60_000,
  w: 7 * 24 * 60 * 60_000,
};

function readTime(name: string, value: string, nowMs: number): number {
  const [, count, unit = ""] = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(value) ?? [];
  if (count !== undefined) return nowMs - Number(count) * (unitsMs[unit] ?? 0);
  const ms = Date.parse(value);
  if (Number.isNaN(ms)) throw invalid(name, "must be a time such as 2026-11-23T12:00:00Z or 2h");
  return ms;
}

function numberOf(name: string, value: string): number {
  const number = Number(value);
  if (value.trim() === "" || !Number.isFinite(number)) throw invalid(name, "must be a number");
  return number;
}

function nanoUsdOf(name: string, value: string): number {
  if (!decimalPattern.test(value)) throw invalid(name, "must be US dollars, such as 0.01");
  return Math.ceil(Number(value) * 1e9);
}

function flagOf(name: string, value: string): boolean {
  if (value === "true") return true;
  if (value === "false") return false;
  throw invalid(name, "must be true or false");
}

function invalid(name: string, what: string): GatewayError {
  return new GatewayError("invalid_request", `${name} ${what}.`, { parameter: name });
}
