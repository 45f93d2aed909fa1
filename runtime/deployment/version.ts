import type { ImageToRun } from "../engine/engine.ts";
import type { RequiredSecret } from "../secrets/required.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** What a model does, in the catalog's words. */
export const modelTasks = [
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
export type ModelTask = (typeof modelTasks)[number];

/** One immutable build of a model, pinned by digest. */
export interface Version {
  readonly modelId: string;
  /** 1, 2, 3, … per model, never reused. */
  readonly number: number;
  /** By digest: `registry/owner/name@sha256:…`. */
  readonly image: ImageToRun;
  /** `sha256:…` of the image manifest, taken from the reference. */
  readonly digest: string;
  readonly weightsDigest: string;
  /** JSON Schema of the input, references resolved. */
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonObject;
  /** The predictor is marked `@cog.streaming`. */
  readonly isStreaming: boolean;
  readonly hardware: string;
  readonly settings: VersionSettings;
  readonly card: ModelCard;
  readonly example?: Example;
  readonly createdBy?: string;
  readonly gitRevision?: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** A prediction that a healthy instance answers; the deploy runs it before traffic moves. */
export interface Example {
  readonly input: JsonObject;
  /** The answer of the deploy's run, once there is one. */
  readonly output?: unknown;
}

/** What the catalog says of the model beyond its schemas. */
export interface ModelCard {
  readonly description: string;
  readonly task: ModelTask;
  readonly requestFormats: readonly ("predictions" | "chat-completions")[];
  /** Where inputs and outputs differ from the conventions; whoever serves calls reads it. */
  readonly mapping?: ModelMapping;
  /** What the model takes. */
  readonly modalities?: readonly Modality[];
}

export interface ModelMapping {
  /** From a usual name (`messages`, `prompt`, `max_tokens`, …) to the model's own input. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Dotted path to the part of the output that is the answer. */
  readonly output?: string;
  /** Jinja text, or the name of a bundled one. */
  readonly chatTemplate?: string;
  readonly templateVariables?: Readonly<Record<string, string>>;
}

export const modalityNames = ["text", "image", "audio", "video", "file"] as const;
export type Modality = (typeof modalityNames)[number];

/** How a version's containers run. */
export interface VersionSettings {
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly {
    readonly source: string;
    readonly target: string;
    readonly isReadOnly: boolean;
  }[];
  readonly memoryBytes?: number;
  readonly cpus?: number;
  readonly gpus?: "all" | readonly string[];
  /** What it cannot do without; an instance does not start before they are given. */
  readonly secrets?: readonly RequiredSecret[];
  /** From container start to READY. */
  readonly setupTimeoutMs: number;
  /** For the example prediction. */
  readonly exampleTimeoutMs: number;
  /** `off`: it starts cold where it is given GPUs; elsewhere as `snapshots` says. */
  readonly gpuSnapshots?: "off";
  /** `auto`: where a restore is faster. `always`: even where it is not. `off`: never captured, never restored. */
  readonly snapshots: "auto" | "always" | "off";
}

/** A model with large weights may read them for minutes; a setup that hangs must not hold a deploy for ever. */
export const setupTimeoutDefaultMs = 600_000;
/** One prediction on a slow CPU. */
export const exampleTimeoutDefaultMs = 300_000;

export const versionSettingsDefault: VersionSettings = {
  environment: {},
  mounts: [],
  setupTimeoutMs: setupTimeoutDefaultMs,
  exampleTimeoutMs: exampleTimeoutDefaultMs,
  snapshots: "auto",
};

/** Why this version has no snapshots by its own wish; undefined when it may have some. */
export function snapshotsOff(settings: VersionSettings): string | undefined {
  if (settings.snapshots === "off") return "snapshots are off for this version";
  if (settings.gpus === undefined || settings.gpuSnapshots !== "off") return undefined;
  return "snapshots with GPUs are off for this version";
}
