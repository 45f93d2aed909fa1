import type { Catalog } from "../../catalog/entry.ts";
import { versionId, versionsOf } from "../../catalog/find.ts";
import type { PredictionRecord } from "../../prediction/store.ts";
import type { StreamTokens } from "../../stream/token.ts";

export interface PredictionBodyOptions {
  readonly record: PredictionRecord;
  readonly baseUrl: string;
  readonly streamTokens: StreamTokens;
  readonly catalog: Catalog;
}

/** A prediction in Replicate's shape. */
export function predictionBody(options: PredictionBodyOptions): Record<string, unknown> {
  const { record, baseUrl } = options;
  const url = `${baseUrl}/v1/predictions/${encodeURIComponent(record.id)}`;
  return {
    id: record.id,
    model: record.model,
    version: recordVersionId(record, options.catalog),
    input: record.input,
    output: record.output ?? null,
    logs: record.logs,
    error: record.error ?? null,
    status: record.status,
    created_at: record.createdAt,
    started_at: record.startedAt ?? null,
    completed_at: record.completedAt ?? null,
    data_removed: false,
    metrics: record.metrics,
    urls: {
      get: url,
      cancel: `${url}/cancel`,
      // The client opens this one without its key.
      stream: `${url}/stream?token=${options.streamTokens.sign(record.id)}`,
      web: url,
    },
  };
}

/** The version's id while the catalog knows it, else its number. */
function recordVersionId(record: PredictionRecord, catalog: Catalog): string {
  const entry = catalog.get(record.model);
  const versions = entry === undefined ? [] : versionsOf(catalog, entry);
  const known = versions.find(({ version }) => version === record.version);
  return known === undefined ? String(record.version) : versionId(known);
}
