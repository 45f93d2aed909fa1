import { GatewayError } from "../../errors.ts";
import { checkMetadata } from "../../http/aig-headers.ts";
import { readJsonObject } from "../../http/body.ts";
import { allowMethods, noSuchPath, type Call, type Services } from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import type { Condition } from "../../telemetry/logs/condition.ts";
import type { LogEntry } from "../../telemetry/logs/entry.ts";
import type { LogRemark } from "../../telemetry/logs/log-store.ts";
import { success } from "../workers-ai/errors.ts";
import { aigLogDetails, aigLogEntry } from "./log-entry.ts";
import { readAigLogQuery, readAigOrder } from "./log-query.ts";

/**
 * `…/gateways/{gw}/logs/{id}` of the binding: GET reads what is known of a call (its id is in `cf-aig-log-id`), PATCH adds
 * feedback, a score or metadata.
 */
export async function callLog(call: Call, services: Services, id: string): Promise<void> {
  allowMethods(call, "GET", "PATCH");
  const entry = await findLog(call, services, id);
  if (call.method === "PATCH") await patch(call, services, id);
  else await sendEntry(call, services, { entry, isBinding: true });
}

/** `/client/v4/accounts/{any}/ai-gateway/gateways/{any}/logs…`, as the `cloudflare` client calls it. */
export async function logsOverRest(
  call: Call,
  services: Services,
  [id, part, ...more]: readonly string[],
): Promise<void> {
  if (more.length > 0) throw noSuchPath(call);
  if (id === undefined) {
    allowMethods(call, "GET", "DELETE");
    await (call.method === "GET" ? list(call, services) : deleteLogs(call, services));
    return;
  }
  const entry = await findLog(call, services, id);
  if (part === "request" || part === "response") {
    allowMethods(call, "GET");
    const payload = await services.telemetry.logs.payload(id);
    if (payload === undefined) throw new GatewayError("not_found", "The payload was not kept.");
    sendJson(call.response, { body: part === "request" ? payload.input : payload.output });
    return;
  }
  if (part !== undefined) throw noSuchPath(call);
  allowMethods(call, "GET", "PATCH");
  if (call.method === "PATCH") await patch(call, services, id);
  else await sendEntry(call, services, { entry, isBinding: false });
}

async function sendEntry(
  call: Call,
  services: Services,
  { entry, isBinding }: { readonly entry: LogEntry; readonly isBinding: boolean },
): Promise<void> {
  const payload = entry.hasPayload ? await services.telemetry.logs.payload(entry.id) : undefined;
  const body = { ...aigLogEntry(entry, { isBinding }), ...aigLogDetails(entry, payload) };
  sendJson(call.response, { body: success(body) });
}

async function patch(call: Call, services: Services, id: string): Promise<void> {
  await services.telemetry.logs.remark(id, readRemark(await readJsonObject(call.request)));
  sendJson(call.response, { body: success({}) });
}

async function list(call: Call, services: Services): Promise<void> {
  const { logs } = services.telemetry;
  const conditions = conditionsOf(call);
  const page = positive(call.query, "page", 1);
  const perPage = Math.min(positive(call.query, "per_page", perPageDefault), perPageMax);
  const { entries } = await logs.search({
    conditions,
    limit: perPage,
    offset: (page - 1) * perPage,
    ...readAigOrder(call.query),
  });
  sendJson(call.response, {
    body: {
      ...success(entries.map((entry) => aigLogEntry(entry, { isBinding: false }))),
      result_info: {
        page,
        per_page: perPage,
        count: entries.length,
        total_count: await logs.count(conditions),
      },
    },
  });
}

/** As Cloudflare's: 20, and 50 at most; a script that wants more asks for more pages. */
const perPageDefault = 20;
const perPageMax = 50;
/** Entries that one request with a limit deletes at most. */
const deleteMax = 10_000;

async function deleteLogs(call: Call, services: Services): Promise<void> {
  if (call.key?.scopes.includes("admin") !== true) {
    throw new GatewayError("forbidden", "Entries are deleted with a key that has the scope admin.");
  }
  const { logs } = services.telemetry;
  const conditions = conditionsOf(call);
  if (call.query.get("limit") === null) {
    await logs.delete(conditions);
  } else {
    const limit = Math.min(positive(call.query, "limit", deleteMax), deleteMax);
    const found = await logs.search({ conditions, limit, ...readAigOrder(call.query) });
    const ids = found.entries.map(({ id }) => id);
    await logs.delete([{ kind: "field", field: "id", operator: "eq", values: ids }]);
  }
  sendJson(call.response, { body: success({}) });
}

/** A key that may only call sees its own calls. */
function conditionsOf(call: Call): readonly Condition[] {
  const conditions = readAigLogQuery(call.query);
  if (call.key?.scopes.includes("admin") === true) return conditions;
  const id = call.key?.id ?? "";
  return [...conditions, { kind: "field", field: "keyId", operator: "eq", values: [id] }];
}

async function findLog(call: Call, services: Services, id: string): Promise<LogEntry> {
  const entry = await services.telemetry.logs.get(id);
  const isMine = entry?.keyId === call.key?.id || call.key?.scopes.includes("admin") === true;
  if (entry === undefined || !isMine) throw new GatewayError("not_found", "Log Not Found");
  return entry;
}

function readRemark(body: Readonly<Record<string, unknown>>): LogRemark {
  const { feedback, score, metadata } = body;
  if (feedback !== undefined && feedback !== null && feedback !== 1 && feedback !== -1) {
    throw new GatewayError("invalid_request", "feedback must be 1 or -1.", {
      parameter: "feedback",
    });
  }
  if (score !== undefined && score !== null && typeof score !== "number") {
    throw new GatewayError("invalid_request", "score must be a number.", { parameter: "score" });
  }
  return {
    ...(feedback !== undefined && { feedback }),
    ...(score !== undefined && { score }),
    ...(metadata !== undefined &&
      metadata !== null && { metadata: checkMetadata(metadata, "metadata") }),
  };
}

function positive(query: URLSearchParams, name: string, byDefault: number): number {
  const text = query.get(name);
  if (text === null || text === "") return byDefault;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 1_000_000) return value;
  throw new GatewayError("invalid_request", `${name} must be a whole number from 1.`, {
    parameter: name,
  });
}
