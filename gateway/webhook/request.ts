import { GatewayError } from "../errors.ts";
import { checkUrl, type AllowList } from "../http/url-guard.ts";
import { webhookUrlCharactersMax } from "../limits.ts";
import type { WebhookEvent, WebhookRequest } from "../prediction/store.ts";

const allEvents: readonly WebhookEvent[] = ["start", "output", "logs", "completed"];

/**
 * The webhook that a body asks for by `webhook` and `webhook_events_filter`; undefined when it asks for none. Without
 * a filter every event is sent.
 * @throws `GatewayError` `invalid_request` that names the field
 */
export function readWebhook(
  body: Readonly<Record<string, unknown>>,
  options: Pick<WebhookRequest, "format" | "baseUrl"> & { readonly allow: AllowList },
): WebhookRequest | undefined {
  const { webhook: url, webhook_events_filter: filter } = body;
  if (url === undefined || url === null || url === "") return undefined;
  if (typeof url !== "string" || url.length > webhookUrlCharactersMax) {
    throw invalid("webhook", `must be a URL of up to ${webhookUrlCharactersMax} characters`);
  }
  checkUrl(url, { parameter: "webhook", allow: options.allow });
  const { format, baseUrl } = options;
  return { url, events: readEvents(filter), format, baseUrl };
}

function readEvents(filter: unknown): readonly WebhookEvent[] {
  if (filter === undefined || filter === null) return allEvents;
  const isKnown = (event: unknown): boolean => allEvents.includes(event as WebhookEvent);
  if (!Array.isArray(filter) || !filter.every(isKnown)) {
    throw invalid("webhook_events_filter", `must be a list of ${allEvents.join(", ")}`);
  }
  return filter.length === 0 ? allEvents : allEvents.filter((event) => filter.includes(event));
}

function invalid(parameter: string, message: string): GatewayError {
  return new GatewayError("invalid_request", `${parameter} ${message}.`, { parameter });
}
