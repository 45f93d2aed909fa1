import type { Catalog } from "../../catalog/entry.ts";
import { versionId, versionsOf } from "../../catalog/find.ts";
import type { FileStore } from "../../prediction/files.ts";
import type { PredictionRecord } from "../../prediction/store.ts";
import type { StreamTokens } from "../../stream/token.ts";

export interface PredictionBodyOptions {
  readonly record: PredictionRecord;
  readonly baseUrl: string;
  readonly streamTokens: StreamTokens;
  readonly files: FileStore;
  readonly catalog: Catalog;
}

/** A prediction in Replicate's shape: files of the output are URLs that work for an hour. */
export function predictionBody(options: PredictionBodyOptions): Record<string, unknown> {
  const { record, baseUrl, files } = options;
  const { webhook, deadline, deployment } = record;
  const url = `${baseUrl}/v1/predictions/${encodeURIComponent(record.id)}`;
  return {
    id: record.id,
    model: record.model,
    version: recordVersionId(record, options.catalog),
    input: record.input,
    output: files.attach(record.output ?? null, baseUrl),
    logs: record.logs,
    error: record.error ?? null,
    status: record.status,
    source: "api",
    created_at: record.createdAt,
    started_at: record.startedAt ?? null,
    completed_at: record.completedAt ?? null,
    ...(deadline === undefined ? {} : { deadline }),
    ...(deployment === undefined ? {} : { deployment }),
    ...(webhook === undefined
      ? {}
      : { webhook: webhook.url, webhook_events_filter: webhook.events }),
    data_removed: false,
    metrics: metrics(record),
    urls: {
      get: url,
      cancel: `${url}/cancel`,
      // The client opens this one without its key.
      stream: `${url}/stream?token=${options.streamTokens.sign(record.id)}`,
      web: url,
    },
  };
}

/** The model's own, and the time from the call to the end in seconds. */
function metrics(record: PredictionRecord): Readonly<Record<string, unknown>> {
  if (record.completedAt === undefined) return record.metrics;
  const totalMs = Date.parse(record.completedAt) - Date.parse(record.createdAt);
  return { ...record.metrics, total_time: Math.max(0, totalMs) / 1000 };
}

/** The version's id while the catalog knows it, else its number. */
function recordVersionId(record: PredictionRecord, catalog: Catalog): string {
  const entry = catalog.get(record.model);
  const versions = entry === undefined ? [] : versionsOf(catalog, entry);
  const known = versions.find(({ version }) => version === record.version);
  return known === undefined ? String(record.version) : versionId(known);
}
