/** One model that can be called. Schemas are the model's own (OpenAPI 3.0 dialect of JSON Schema, as Cog writes them). */
export interface CatalogEntry {
  /** `owner/name`; a third party's may have more parts, such as `@cf/moonshotai/kimi-k2.5`. */
  readonly id: string;
  /** As people say it; default: the last part of the id. */
  readonly name?: string;
  readonly description: string;
  readonly task: Task;
  readonly inputSchema: JsonSchema;
  readonly outputSchema: JsonSchema;
  /** The predictor is marked `@cog.streaming` and answers `Accept: text/event-stream`. */
  readonly isStreaming: boolean;
  readonly requestFormats: readonly RequestFormat[];
  readonly example?: {
    readonly input: Readonly<Record<string, unknown>>;
    readonly output?: unknown;
  };
  /** Such as `cpu` or `gpu`; empty for a third party's. */
  readonly hardware: string;
  readonly version: number;
  /** `sha256:…` of the image manifest; of a third party's model, of the entry itself. */
  readonly digest: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** What can serve it, the preferred one first; absent: byom's own deployment of this id. */
  readonly upstreams?: readonly UpstreamTarget[];
  /** Where the model's inputs and outputs differ from the conventions. */
  readonly mapping?: ModelMapping;
  /** Tokens. */
  readonly contextLength?: number;
  readonly maxOutputTokens?: number;
  readonly modalities?: {
    readonly input: readonly Modality[];
    readonly output: readonly Modality[];
  };
  readonly prices?: readonly Price[];
  readonly capabilities?: readonly Capability[];
  readonly tags?: readonly string[];
  /** Absent: an own model. */
  readonly origin?: EntryOrigin;
  /** Of a third party's model: where its facts were read, and when. */
  readonly facts?: Facts;
}

/** How an entry came into the catalog: deployed here, added by the operator, read from a list, shipped with byom; or a route. */
export type EntryOrigin = "own" | "added" | "listed" | "bundled" | "route";

export interface Facts {
  readonly source: string;
  /** ISO 8601 date. */
  readonly asOf: string;
}

export const tasks = [
  "text-generation",
  "text-embeddings",
  "text-to-image",
  "image-to-image",
  "image-to-text",
  "text-to-speech",
  "automatic-speech-recognition",
  "text-to-video",
  "image-to-video",
  "other",
] as const;
export type Task = (typeof tasks)[number];

/** The ways in which a model can be called; every model takes `predictions`. */
export const requestFormats = [
  "predictions",
  "chat-completions",
  "completions",
  "responses",
  "messages",
  "embeddings",
  "images",
  "speech",
  "transcriptions",
] as const;
export type RequestFormat = (typeof requestFormats)[number];

export const modalities = ["text", "image", "audio", "video", "file"] as const;
export type Modality = (typeof modalities)[number];
export const capabilities = ["tools", "json", "vision", "reasoning", "streaming"] as const;
export type Capability = (typeof capabilities)[number];

/** A third party's model as its provider names it, or a deployment of this platform. */
export type UpstreamTarget =
  | { readonly kind: "deployment"; readonly modelId: string }
  | { readonly kind: "provider"; readonly provider: string; readonly model: string };

export interface ModelMapping {
  /** From a name of the conventions (`messages`, `prompt`, `max_tokens`, `text`, `image`, …) to the model's own input. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Dotted path to the part of the output that is the answer, such as `data.text`. */
  readonly output?: string;
  /** Jinja template as in Hugging Face's `tokenizer_config.json`, or the name of a bundled one (`chatml`, …). */
  readonly chatTemplate?: string;
  /** What the template asks for beside the messages, such as `eos_token`. */
  readonly templateVariables?: Readonly<Record<string, string>>;
}

export interface Price {
  readonly unit: PriceUnit;
  /** How many of the unit the amount is for, such as 1000000. */
  readonly per: number;
  /** Decimal number of US dollars, such as `0.15`. */
  readonly usd: string;
  /** Where the price was read. */
  readonly source?: string;
  /** ISO 8601 date of that. */
  readonly asOf?: string;
}

export const priceUnits = [
  "input-token",
  "cached-input-token",
  "cache-write-token",
  "output-token",
  "reasoning-token",
  "image",
  "megapixel",
  "video",
  "second",
  "audio-second",
  "video-second",
  "character",
  "request",
  "instance-second",
  "gpu-second",
  "cold-start-second",
] as const;
/** `second`: of audio or video, or of an instance's time for own models; the others name one of these. */
export type PriceUnit = (typeof priceUnits)[number];

export type JsonSchema = Readonly<Record<string, unknown>>;

/** The catalog as the gateway reads it: in memory, kept current by whoever owns the data. */
export interface Catalog {
  /** By id or alias. */
  get(modelId: string): CatalogEntry | undefined;
  list(): readonly CatalogEntry[];
  /** All versions of a model that can be called, the deployed one first; without it only the deployed one is known. */
  versions?(modelId: string): readonly CatalogEntry[];
}
