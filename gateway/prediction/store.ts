/** Replicate's prediction states; `aborted`: its deadline passed before it began. */
export type PredictionStatus =
  | "starting"
  | "processing"
  | "succeeded"
  | "failed"
  | "canceled"
  | "aborted";

export interface PredictionRecord {
  readonly id: string;
  readonly model: string;
  readonly version: number;
  readonly status: PredictionStatus;
  readonly input: Readonly<Record<string, unknown>>;
  readonly output?: unknown;
  readonly error?: string;
  readonly logs: string;
  readonly metrics: Readonly<Record<string, unknown>>;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly completedAt?: string;
  readonly keyId?: string;
  /** What a new run needs beside the input: the pinned version, Cog's `context`, the caller's metadata. */
  readonly pinnedVersion?: number;
  readonly context?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
  /** ISO 8601: when it ends by itself at the latest. */
  readonly deadline?: string;
  /** `owner/name` of the deployment by which it was called. */
  readonly deployment?: string;
  readonly webhook?: WebhookRequest;
}

export type WebhookEvent = "start" | "output" | "logs" | "completed";

/** Who wants to be told how a prediction goes. */
export interface WebhookRequest {
  readonly url: string;
  readonly events: readonly WebhookEvent[];
  /** In whose shape the prediction is told. */
  readonly format: "replicate" | "cog";
  /** Of the call, for the URLs in what is sent. */
  readonly baseUrl: string;
}

export interface PredictionListOptions {
  readonly limit: number;
  readonly model?: string;
  /** Id of a prediction: only older ones. */
  readonly before?: string;
  /** Id of a prediction: the ones that came next after it, still the newest of them first. */
  readonly after?: string;
  /** ISO 8601, inclusive. */
  readonly createdAfter?: string;
  /** ISO 8601, exclusive. */
  readonly createdBefore?: string;
  /** Of the records together; one is returned whatever its size, for inputs may be large. Default: no bound. */
  readonly bytesMax?: number;
}

/** Where accepted predictions are kept: an insert has returned only when it would survive kill -9. */
export interface PredictionStore {
  insert(record: PredictionRecord): void;
  update(record: PredictionRecord): void;
  get(id: string): PredictionRecord | undefined;
  /** Newest first. */
  list(options: PredictionListOptions): readonly PredictionRecord[];
  /** Those that were neither finished nor failed when the platform stopped, oldest first. */
  unfinished(): readonly PredictionRecord[];
  /** Ids of finished ones whose completed webhook has not been settled, oldest first. */
  owingWebhooks(): readonly string[];
  /** Their completed webhook was delivered or given up. */
  settleWebhooks(ids: readonly string[]): void;
  /** Removes up to `limit` finished ones that ended before a time or are beyond the newest `keepMax`; returns how many. */
  prune(options: {
    readonly completedBefore: string;
    readonly keepMax: number;
    readonly limit: number;
  }): number;
}
