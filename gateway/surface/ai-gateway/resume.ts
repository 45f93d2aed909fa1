import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { lastEventId } from "../../http/last-event-id.ts";
import { sendJson } from "../../http/respond.ts";
import { follow } from "../../stream/follow.ts";
import { findKept } from "../stream-shapes.ts";
import { malformedRunId } from "./errors.ts";

const runIdPattern = /^[\w.-]{1,200}$/;
const countPattern = /^\d{1,9}$/;

/**
 * `GET …/gateways/{gw}/run/{runId}/resume?from=N`: the stream of a run again, byte for byte, without the N events that
 * the caller has, and from there on as it comes. Past its end it is an empty answer; a run that is not known any more
 * is `404 {"error":"Request not found"}`.
 * Source: the resume client in workers-ai-provider 4.0.0, which counts the empty lines of what it has read.
 */
export async function resumeRun(call: Call, services: Services, runId: string): Promise<void> {
  allowMethods(call, "GET");
  const from = call.query.get("from") ?? lastEventId(call) ?? "0";
  if (!runIdPattern.test(runId) || !countPattern.test(from)) throw malformedRunId();
  const kept = findKept(call, services, runId);
  if (kept === undefined) {
    sendJson(call.response, { status: 404, body: { error: "Request not found" } });
    return;
  }
  await follow({
    ...kept,
    response: call.response,
    framesRead: Number(from),
    deadlines: services.deadlines,
    commitOn: "any",
    signal: call.signal,
  });
}
