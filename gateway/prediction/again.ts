import type { RunRequest } from "./run.ts";
import type { PredictionRecord } from "./store.ts";

/** What a recorded prediction asked for, to run it again after a restart. */
export function requestOf(record: PredictionRecord): Omit<RunRequest, "entry"> {
  return {
    id: record.id,
    input: record.input,
    isDetached: true,
    isRecorded: true,
    createdAt: record.createdAt,
    ...(record.keyId === undefined ? {} : { keyId: record.keyId }),
    ...(record.pinnedVersion === undefined ? {} : { version: record.pinnedVersion }),
    ...(record.context === undefined ? {} : { context: record.context }),
    ...(record.metadata === undefined ? {} : { metadata: record.metadata }),
    ...(record.deadline === undefined ? {} : { deadline: record.deadline }),
    ...(record.deployment === undefined ? {} : { deployment: record.deployment }),
    ...(record.webhook === undefined ? {} : { webhook: record.webhook }),
  };
}
