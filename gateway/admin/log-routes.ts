import { once } from "node:events";

import { z } from "zod";

import { GatewayError } from "../errors.ts";
import { checkMetadata } from "../http/aig-headers.ts";
import { logQuery, pageQuery, readLogQuery, readPage } from "../telemetry/logs/query.ts";
import type { Condition } from "../telemetry/logs/condition.ts";
import type { LogEntry } from "../telemetry/logs/entry.ts";
import type { LogRemark } from "../telemetry/logs/log-store.ts";
import { logSettingsSchema } from "../telemetry/logs/settings-schema.ts";
import { readAdminBody } from "./body.ts";
import type { AdminCall, AdminRoute } from "./route.ts";

const remarkBody: z.ZodType<LogRemark> = z.strictObject({
  feedback: z.union([z.literal(1), z.literal(-1), z.null()]).exactOptional(),
  score: z.number().nullable().exactOptional(),
  metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).exactOptional(),
});

/** A key that may only call sees its own calls. */
const readers = ["admin", "call"] as const;

export const logRoutes: readonly AdminRoute[] = [
  {
    method: "GET",
    path: "/logs",
    summary: "The calls, newest first; a key that may only call sees its own",
    scopes: readers,
    query: { ...logQuery, ...pageQuery },
    handle: listLogs,
  },
  {
    method: "DELETE",
    path: "/logs",
    summary:
      "Deletes every entry that fits the query, with its payload; nothing of it stays in the file",
    scopes: ["admin"],
    query: logQuery,
    handle: deleteLogs,
  },
  {
    method: "GET",
    path: "/logs/tail",
    summary:
      "Follows the log: server-sent events `log`, and `missed` for a reader that is too slow",
    scopes: readers,
    query: logQuery,
    handle: followLogs,
  },
  {
    method: "GET",
    path: "/logs/export",
    summary: "Entries as JSON lines, oldest first; with payloads=true their inputs and outputs too",
    scopes: readers,
    query: {
      ...logQuery,
      payloads: "true: with `input` and `output` of the entries that have them",
    },
    handle: exportLogs,
  },
  {
    method: "GET",
    path: "/logs/settings",
    summary: "What is kept of the calls, for how long, and what is blacked out in it",
    scopes: ["admin"],
    handle: ({ services }) => services.telemetry.logs.settings,
  },
  {
    method: "PUT",
    path: "/logs/settings",
    summary:
      "Changes it, effective with the next call; what the new retention does not hold is deleted",
    scopes: ["admin"],
    body: logSettingsSchema,
    handle: putSettings,
  },
  {
    method: "GET",
    path: "/logs/{id}",
    summary: "One call with its legs",
    scopes: readers,
    handle: findEntry,
  },
  {
    method: "GET",
    path: "/logs/{id}/payload",
    summary: "Input and output of a call, as far as they are kept",
    scopes: readers,
    handle: async (call) => {
      const { id } = await findEntry(call);
      const payload = await call.services.telemetry.logs.payload(id);
      if (payload !== undefined) return payload;
      throw new GatewayError("not_found", `Input and output of ${id} were not kept.`, {
        hint: "Send `cf-aig-collect-log-payload: true` with a call, or set a rule (PUT /api/v1/logs/settings).",
      });
    },
  },
  {
    method: "PATCH",
    path: "/logs/{id}",
    summary: "Adds feedback (1, -1), a score or metadata to a call; null takes one back",
    scopes: readers,
    body: remarkBody,
    handle: remark,
  },
  {
    method: "DELETE",
    path: "/logs/{id}",
    summary: "Deletes one entry with its payload",
    scopes: ["admin"],
    handle: async (call) => {
      const { id } = await findEntry(call);
      await call.services.telemetry.logs.delete([idIs(id)]);
    },
  },
];

async function listLogs(admin: AdminCall): Promise<unknown> {
  const { call, services } = admin;
  const conditions = conditionsOf(admin, Object.keys(pageQuery));
  const { entries, next } = await services.telemetry.logs.search({
    conditions,
    ...readPage(call.query),
  });
  return { logs: entries, ...(next !== undefined && { next: String(next) }) };
}

async function deleteLogs(admin: AdminCall): Promise<unknown> {
  const conditions = conditionsOf(admin);
  if (conditions.length === 0) {
    throw new GatewayError("invalid_request", "Say which entries are to be deleted.", {
      hint: "Such as ?metadata=customer=42 or ?to=30d; ?from=1970-01-01 means all.",
    });
  }
  return { deleted: await admin.services.telemetry.logs.delete(conditions) };
}

function followLogs(admin: AdminCall): void {
  const conditions = conditionsOf(admin);
  admin.services.telemetry.logs.follow(admin.call.response, conditions);
}

/** Entries of one page of an export: what is in memory at once. */
const exportPage = 200;

async function exportLogs(admin: AdminCall): Promise<void> {
  const { call, services } = admin;
  const { logs } = services.telemetry;
  const conditions = conditionsOf(admin, ["payloads"]);
  const withPayloads = call.query.get("payloads") === "true";
  const { response, signal } = call;
  let beyond: number | undefined = 0;
  while (beyond !== undefined && !signal.aborted) {
    const page: { entries: readonly string[]; next?: number } = await logs.searchTexts({
      conditions,
      limit: exportPage,
      beyond,
      isAscending: true,
    });
    if (!response.headersSent) {
      response.writeHead(200, {
        "content-type": "application/x-ndjson",
        "cache-control": "no-store",
      });
    }
    for (const json of page.entries) {
      const line = withPayloads ? await withPayload(json, admin) : json;
      if (!response.write(`${line}\n`) && !signal.aborted) {
        await once(response, "drain", { signal }).catch(() => undefined);
      }
    }
    beyond = page.next;
  }
  response.end();
}

async function withPayload(json: string, { services }: AdminCall): Promise<string> {
  const entry = JSON.parse(json) as LogEntry;
  if (!entry.hasPayload) return json;
  const payload = await services.telemetry.logs.payload(entry.id);
  return JSON.stringify({ ...entry, ...payload });
}

async function putSettings({ call, services }: AdminCall): Promise<unknown> {
  const settings = await readAdminBody(call.request, logSettingsSchema);
  await services.telemetry.logs.configure(settings);
  return settings;
}

async function remark(admin: AdminCall): Promise<unknown> {
  const given = await readAdminBody(admin.call.request, remarkBody);
  if (given.metadata !== undefined) checkMetadata(given.metadata, "metadata");
  const { id } = await findEntry(admin);
  const entry = await admin.services.telemetry.logs.remark(id, given);
  return entry ?? notFound(id);
}

async function findEntry({ call, services, parameters }: AdminCall): Promise<LogEntry> {
  const id = parameters["id"] ?? "";
  const entry = await services.telemetry.logs.get(id);
  const isMine = isAdmin(call.key) || entry?.keyId === call.key?.id;
  return entry === undefined || !isMine ? notFound(id) : entry;
}

function notFound(id: string): never {
  throw new GatewayError("not_found", `There is no call ${id} in the log.`, {
    hint: "It may be too old, or a rule keeps such calls out.",
  });
}

/** What the query says, and for a key that may only call: its own. */
function conditionsOf(
  { call, services }: AdminCall,
  others: readonly string[] = [],
): readonly Condition[] {
  const conditions = readLogQuery(call.query, { nowMs: services.clock(), others });
  if (isAdmin(call.key)) return conditions;
  const id = call.key?.id ?? "";
  return [...conditions, { kind: "field", field: "keyId", operator: "eq", values: [id] }];
}

function isAdmin(key: AdminCall["call"]["key"]): boolean {
  return key?.scopes.includes("admin") === true;
}

function idIs(id: string): Condition {
  return { kind: "field", field: "id", operator: "eq", values: [id] };
}
