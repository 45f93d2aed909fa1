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
}

/** Where accepted predictions are kept: an insert has returned only when it would survive kill -9. */
export interface PredictionStore {
  insert(record: PredictionRecord): void;
  update(record: PredictionRecord): void;
  get(id: string): PredictionRecord | undefined;
  list(options: { limit: number; model?: string }): readonly PredictionRecord[];
  /** Those that were neither finished nor failed when the platform stopped. */
  unfinished(): readonly PredictionRecord[];
}
