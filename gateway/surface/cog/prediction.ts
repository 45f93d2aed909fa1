import type { FileStore } from "../../prediction/files.ts";
import type { PredictionRecord } from "../../prediction/store.ts";

/** A recorded prediction as coglet tells it to a webhook and to a repeated PUT. */
export function cogPrediction(
  record: PredictionRecord,
  files: FileStore,
  baseUrl: string,
): Record<string, unknown> {
  return {
    id: record.id,
    input: record.input,
    output: files.attach(record.output ?? null, baseUrl),
    ...(record.error === undefined ? {} : { error: record.error }),
    logs: record.logs,
    // Cog has no word for a deadline.
    status: record.status === "aborted" ? "canceled" : record.status,
    metrics: record.metrics,
    created_at: record.createdAt,
    ...(record.startedAt === undefined ? {} : { started_at: record.startedAt }),
    ...(record.completedAt === undefined ? {} : { completed_at: record.completedAt }),
  };
}
