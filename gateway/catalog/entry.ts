/** One model that can be called. Schemas are the model's own (OpenAPI 3.0 dialect of JSON Schema, as Cog writes them). */
export interface CatalogEntry {
  /** `owner/name`. */
  readonly id: string;
  readonly description: string;
  readonly task: Task;
  readonly inputSchema: JsonSchema;
  readonly outputSchema: JsonSchema;
  /** The predictor is marked `@cog.streaming` and answers `Accept: text/event-stream`. */
  readonly isStreaming: boolean;
  readonly requestFormats: readonly ("predictions" | "chat-completions")[];
  readonly example?: {
    readonly input: Readonly<Record<string, unknown>>;
    readonly output?: unknown;
  };
  readonly hardware: string;
  readonly version: number;
  /** `sha256:…` of the image manifest. */
  readonly digest: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

export type Task =
  | "text-generation"
  | "image-to-text"
  | "text-to-image"
  | "text-embeddings"
  | "other";
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The catalog as the gateway reads it: in memory, kept current by whoever owns the data. */
export interface Catalog {
  get(modelId: string): CatalogEntry | undefined;
  list(): readonly CatalogEntry[];
  /** All versions of a model that can be called, the deployed one first; without it only the deployed one is known. */
  versions?(modelId: string): readonly CatalogEntry[];
}
