import { GatewayError } from "../../errors.ts";
import type { Call } from "../../http/call.ts";
import type { PredictionRecord, PredictionStore } from "../../prediction/store.ts";

/** Predictions on one page, as Replicate has it. */
const pageSize = 100;
/** Inputs may be large: a page stops here, and always has one prediction. */
const pageBytesMax = 16 * 1024 * 1024;
/** A key that may call few of many models gets a short page instead of a search through the whole store. */
const batchesMax = 10;

export interface Page {
  readonly records: readonly PredictionRecord[];
  /** URLs of the older and the newer page. */
  readonly next: string | null;
  readonly previous: string | null;
}

/**
 * One page of predictions, newest first, with `cursor`, `created_after` and `created_before` of the query.
 * @throws `GatewayError` `invalid_request` for a time or cursor that cannot be read
 */
export function listPage(
  call: Call,
  store: PredictionStore,
  isVisible: (record: PredictionRecord) => boolean,
): Page {
  const range = readRange(call.query);
  const cursor = readCursor(call.query.get("cursor"));
  const isTowardsNewer = cursor?.direction === "after";
  const records: PredictionRecord[] = [];
  let edge = cursor?.id;
  let hasMore = true;
  const list = (limit: number): readonly PredictionRecord[] =>
    store.list({
      limit,
      bytesMax: pageBytesMax,
      ...range,
      ...(edge === undefined ? {} : isTowardsNewer ? { after: edge } : { before: edge }),
    });
  for (let batch = 0; batch < batchesMax && hasMore && records.length < pageSize; batch += 1) {
    const found = list(pageSize + 1);
    // In the order in which they are walked.
    for (const record of isTowardsNewer ? found.toReversed() : found) {
      if (records.length === pageSize) break;
      edge = record.id;
      if (isVisible(record)) records.push(record);
    }
    // Fewer than asked for: the list's end, or as much as one page may hold.
    if (found.length <= pageSize) {
      hasMore = list(1).length > 0;
      break;
    }
  }
  const shown = isTowardsNewer ? records.toReversed() : records;
  const link = (direction: "before" | "after", id: string | undefined): string | null =>
    id === undefined ? null : pageUrl(call, `${direction}:${id}`);
  const [older, newer] = isTowardsNewer
    ? [shown.at(-1)?.id ?? cursor.id, hasMore ? edge : undefined]
    : [hasMore ? edge : undefined, cursor === undefined ? undefined : (shown[0]?.id ?? cursor.id)];
  return { records: shown, next: link("before", older), previous: link("after", newer) };
}

function pageUrl(call: Call, cursor: string): string {
  const query = new URLSearchParams(call.query);
  query.set("cursor", Buffer.from(cursor).toString("base64url"));
  return `${call.baseUrl}/v1/predictions?${query.toString()}`;
}

function readCursor(
  text: string | null,
): { readonly direction: "before" | "after"; readonly id: string } | undefined {
  if (text === null) return undefined;
  const match = /^(before|after):(.{1,128})$/.exec(Buffer.from(text, "base64url").toString());
  if (match === null) throw invalid("cursor", "is not one of this list's");
  return { direction: match[1] as "before" | "after", id: match[2] ?? "" };
}

function readRange(query: URLSearchParams): {
  readonly createdAfter?: string;
  readonly createdBefore?: string;
} {
  const time = (name: string): string | undefined => {
    const text = query.get(name);
    if (text === null) return undefined;
    const ms = Date.parse(text);
    if (Number.isNaN(ms)) throw invalid(name, "must be a time such as 2026-01-31T12:00:00Z");
    return new Date(ms).toISOString();
  };
  const [createdAfter, createdBefore] = [time("created_after"), time("created_before")];
  return {
    ...(createdAfter === undefined ? {} : { createdAfter }),
    ...(createdBefore === undefined ? {} : { createdBefore }),
  };
}

function invalid(parameter: string, message: string): GatewayError {
  return new GatewayError("invalid_request", `${parameter} ${message}.`, { parameter });
}
