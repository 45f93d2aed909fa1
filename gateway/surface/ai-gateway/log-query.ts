import { GatewayError } from "../../errors.ts";
import { isObject } from "../../http/body.ts";
import type { Condition, LogField, Operator, Value } from "../../telemetry/logs/condition.ts";
import { wordsOf } from "../../telemetry/logs/query.ts";

/** `LogListParams.Filter` of the `cloudflare` client: a field, how it compares, and with what. */
interface Filter {
  readonly key: string;
  readonly operator: "eq" | "neq" | "contains" | "lt" | "gt";
  readonly values: readonly Value[];
}

/** Cloudflare's names of what entries are found and ordered by. */
const fields: Readonly<Record<string, LogField>> = {
  id: "id",
  created_at: "createdAt",
  success: "status",
  cached: "isCached",
  provider: "provider",
  model: "model",
  model_type: "task",
  cost: "nanoUsd",
  tokens: "tokens",
  tokens_in: "tokensIn",
  tokens_out: "tokensOut",
  duration: "durationMs",
  feedback: "feedback",
  event_id: "eventId",
};

const operators: ReadonlySet<string> = new Set(["eq", "neq", "contains", "lt", "gt"]);

/** The older parameters, one field each. */
const plain: Readonly<Record<string, readonly [key: string, operator: Operator]>> = {
  cached: ["cached", "eq"],
  success: ["success", "eq"],
  provider: ["provider", "eq"],
  model: ["model", "eq"],
  model_type: ["model_type", "eq"],
  start_date: ["created_at", "gte"],
  end_date: ["created_at", "lte"],
  min_cost: ["cost", "gte"],
  max_cost: ["cost", "lte"],
  min_duration: ["duration", "gte"],
  max_duration: ["duration", "lte"],
  min_tokens_in: ["tokens_in", "gte"],
  max_tokens_in: ["tokens_in", "lte"],
  min_tokens_out: ["tokens_out", "gte"],
  max_tokens_out: ["tokens_out", "lte"],
  min_total_tokens: ["tokens", "gte"],
  max_total_tokens: ["tokens", "lte"],
};

/** The conditions that a query of Cloudflare's REST API means. @throws `GatewayError` `invalid_request` */
export function readAigLogQuery(query: URLSearchParams): readonly Condition[] {
  const conditions: Condition[] = [];
  for (const [name, [key, operator]] of Object.entries(plain)) {
    const value = query.get(name);
    if (value !== null && value !== "") conditions.push(fieldCondition(key, operator, [value]));
  }
  const feedback = query.get("feedback");
  // Here 0 means a thumb down.
  if (feedback !== null) {
    conditions.push(fieldCondition("feedback", "eq", [feedback === "0" ? -1 : Number(feedback)]));
  }
  const search = query.get("search");
  if (search !== null && search !== "") {
    conditions.push({ kind: "text", words: wordsOf("search", search) });
  }
  return [...conditions, ...readFilters(readFilterList(query))];
}

/** What a list is ordered by; absent: as the calls ended. @throws `GatewayError` `invalid_request` */
export function readAigOrder(query: URLSearchParams): {
  readonly orderBy?: LogField;
  readonly isAscending: boolean;
} {
  const name = query.get("order_by");
  const isAscending = (query.get("order_by_direction") ?? query.get("direction")) === "asc";
  if (name === null || name === "") return { isAscending };
  const orderBy = fields[name];
  if (orderBy === undefined) throw invalid("order_by", `cannot be ${name}`);
  return { orderBy, isAscending };
}

/** `filters.key=…&filters.operator=…&filters.value=…`, in this order for each; or one JSON list. */
function readFilterList(query: URLSearchParams): readonly Filter[] {
  const json = query.get("filters");
  if (json !== null) return parseFilters(json).map(readFilter);
  const given: { key: string; operator: string; value: Value[] }[] = [];
  for (const [name, value] of query) {
    const [, part] =
      /^filters(?:\[\d*\])?[.[](key|operator|value)\]?(?:\[\d*\])?$/.exec(name) ?? [];
    const last = given.at(-1);
    if (part === "key") given.push({ key: value, operator: "eq", value: [] });
    else if (part === "operator" && last !== undefined) last.operator = value;
    else if (part === "value" && last !== undefined) last.value.push(value);
  }
  return given.map(readFilter);
}

function parseFilters(json: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(json);
    if (Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  throw invalid("filters", "must be a list of {key, operator, value}");
}

function readFilter(given: unknown): Filter {
  const { key, operator, value } = isObject(given) ? given : {};
  if (typeof key !== "string" || typeof operator !== "string" || !operators.has(operator)) {
    throw invalid("filters", "must be a list of {key, operator, value}");
  }
  const values = (Array.isArray(value) ? value : [value]) as readonly Value[];
  return { key, operator: operator as Filter["operator"], values };
}

/** A key and a value of the metadata are one pair when both are asked for: no entry is found by two different ones. */
function readFilters(filters: readonly Filter[]): readonly Condition[] {
  const keys = filters.filter(({ key }) => key === "metadata.key");
  const values = filters.filter(({ key }) => key === "metadata.value");
  const others = filters.filter(({ key }) => !key.startsWith("metadata."));
  const conditions = others.map(({ key, operator, values: list }) =>
    fieldCondition(key, operator, list),
  );
  const pairs: Condition[] = [];
  for (let index = 0; index < Math.max(keys.length, values.length); index += 1) {
    const [key, value] = [keys[index], values[index]];
    const operator = (value ?? key)?.operator ?? "eq";
    if (operator === "lt" || operator === "gt") {
      throw invalid("filters", "compares metadata by eq, neq or contains");
    }
    pairs.push({
      kind: "metadata",
      keys: (key?.values ?? []).map(String),
      values: (value?.values ?? []).map(String),
      operator,
    });
  }
  return [...conditions, ...pairs];
}

function fieldCondition(key: string, operator: Operator, values: readonly Value[]): Condition {
  const field = fields[key];
  if (field === undefined) {
    throw invalid("filters", `cannot look for ${key}; there are ${Object.keys(fields).join(", ")}`);
  }
  if (key === "success") return successCondition(operator, values);
  return {
    kind: "field",
    field,
    operator,
    values: values.map((value) => convert(key, value)),
  };
}

function successCondition(operator: Operator, values: readonly Value[]): Condition {
  const isTrue = values.some((value) => value === true || value === "true");
  const isPositive = isTrue === (operator === "eq");
  return {
    kind: "field",
    field: "status",
    operator: isPositive ? "eq" : "neq",
    values: ["succeeded"],
  };
}

const numbers: ReadonlySet<string> = new Set([
  "tokens",
  "tokens_in",
  "tokens_out",
  "duration",
  "feedback",
]);
const nanoUsdPerUsd = 1e9;

/** A text of the query as the field has it. */
function convert(key: string, value: Value): Value {
  if (value === null) return null;
  if (key === "cached") return value === true || value === "true";
  if (key === "created_at") {
    const ms = Date.parse(String(value));
    if (Number.isNaN(ms)) throw invalid(key, "must be a time");
    return ms;
  }
  if (key !== "cost" && !numbers.has(key)) return String(value);
  const number = Number(value);
  if (!Number.isFinite(number)) throw invalid(key, "must be a number");
  return key === "cost" ? Math.round(number * nanoUsdPerUsd) : number;
}

function invalid(name: string, what: string): GatewayError {
  return new GatewayError("invalid_request", `${name} ${what}.`, { parameter: name });
}
