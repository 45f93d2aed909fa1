import type { LogEntry } from "../../telemetry/logs/entry.ts";
import type { LogPayload } from "../../telemetry/logs/log-store.ts";

/**
 * An entry of the log as AI Gateway shows it. Source: `LogGetResponse` of the `cloudflare` client 7.3.0, `AiGatewayLog` of
 * workers-types.
 */
export function aigLogEntry(
  entry: LogEntry,
  options: { readonly isBinding: boolean },
): Record<string, unknown> {
  const { metadata } = entry;
  return {
    id: entry.id,
    provider: entry.provider,
    model: entry.model,
    model_type: entry.task,
    path: (entry.path ?? "").replace(/^\//, ""),
    duration: Math.round(entry.durationMs),
    status_code: entry.statusCode,
    success: entry.status === "succeeded",
    cached: entry.isCached,
    tokens_in: entry.tokensIn ?? null,
    tokens_out: entry.tokensOut ?? null,
    cost: entry.nanoUsd / 1e9,
    custom_cost: entry.hasCustomCost ?? false,
    // The client of the REST API takes a text, the binding an object.
    metadata: options.isBinding ? metadata : JSON.stringify(metadata),
    ...(entry.feedback !== undefined && { feedback: entry.feedback }),
    ...(entry.score !== undefined && { score: entry.score }),
    ...(entry.eventId !== undefined && { event_id: entry.eventId }),
    step: stepOf(entry),
    request_type: entry.isStreamed ? "stream" : "json",
    request_content_type: "application/json",
    response_content_type: entry.isStreamed ? "text/event-stream" : "application/json",
    created_at: entry.createdAt,
  };
}

/** With the beginnings of request and response, as a look at one entry shows them. */
export function aigLogDetails(
  entry: LogEntry,
  payload: LogPayload | undefined,
): Record<string, unknown> {
  const head = (value: unknown): string => JSON.stringify(value ?? null).slice(0, headCharacters);
  const isComplete = (value: unknown): boolean =>
    payload !== undefined && JSON.stringify(value ?? null).length <= headCharacters;
  return {
    request_size: entry.requestBytes ?? 0,
    request_head: payload === undefined ? "" : head(payload.input),
    request_head_complete: isComplete(payload?.input),
    response_size: entry.responseBytes ?? 0,
    response_head: payload === undefined ? "" : head(payload.output),
    response_head_complete: isComplete(payload?.output),
  };
}

/** What a list is looked through for. */
const headCharacters = 1_024;

/** Which of the upstreams answered, from 0; tries of the same one are one step. */
function stepOf({ legs }: LogEntry): number {
  const answered = legs.findLastIndex(({ state }) => state === "succeeded" || state === "cached");
  const until = answered === -1 ? legs : legs.slice(0, answered + 1);
  const places = new Set(
    until.map(({ provider, upstreamModel }) => `${provider} ${upstreamModel}`),
  );
  return Math.max(0, places.size - 1);
}
