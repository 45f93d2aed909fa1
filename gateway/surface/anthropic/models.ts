import type { CatalogEntry } from "../../catalog/entry.ts";
import type { Call } from "../../http/call.ts";
import { invalid } from "./blocks.ts";

/** Models on a page of Anthropic's list when the caller names no number, and at most. */
const pageDefault = 20;
const pageMax = 1_000;

/** Whether a call on a path that is OpenAI's and Anthropic's alike comes from Anthropic's client. */
export function isAnthropicCall(call: Call): boolean {
  return call.request.headers["anthropic-version"] !== undefined;
}

/** One page of the catalog as Anthropic's `GET /v1/models` has it. */
export function anthropicModels(
  entries: readonly CatalogEntry[],
  query: URLSearchParams,
): Record<string, unknown> {
  const limit = Number(query.get("limit") ?? pageDefault);
  if (!Number.isInteger(limit) || limit < 1 || limit > pageMax) {
    throw invalid("limit", `must be a whole number from 1 to ${pageMax}`);
  }
  const ids = entries.map(({ id }) => id);
  const [after, before] = [query.get("after_id"), query.get("before_id")];
  const from = after === null ? 0 : ids.indexOf(after) + 1;
  const to = before === null ? ids.length : Math.max(0, ids.indexOf(before));
  const start = before === null ? from : Math.max(from, to - limit);
  const page = entries.slice(start, Math.min(to, start + limit));
  return {
    data: page.map(anthropicModel),
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
    has_more: before === null ? start + page.length < ids.length : start > 0,
  };
}

/** A model as Anthropic describes one. */
export function anthropicModel(entry: CatalogEntry): Record<string, unknown> {
  return {
    type: "model",
    id: entry.id,
    display_name: entry.name ?? entry.id.split("/").at(-1),
    created_at: entry.createdAt,
    max_input_tokens: entry.contextLength ?? null,
    max_tokens: entry.maxOutputTokens ?? null,
  };
}
