import type { AiModels } from "./models.ts";

/** A model's id: one that has types, or any other. */
// oxlint-disable-next-line typescript/no-redundant-type-constituents -- empty only until it is augmented
export type ModelName = keyof AiModels | (string & Record<never, never>);

/** Inputs of a model without types. Bytes (`Uint8Array`, `ArrayBuffer`, `Blob`) are sent as data URIs. */
export type AiInputs = Readonly<Record<string, unknown>>;

/** What a model without types answers: an object such as `{response, usage}`, a list, or a stream of a file's bytes. */
export interface AiAnswer {
  readonly response?: string;
  readonly [name: string]: unknown;
}

/** `stream: true` asks for the pieces as they come. */
export interface Streamed {
  readonly stream?: boolean;
}

export type InputsOf<Name> = Name extends keyof AiModels
  ? AiModels[Name] extends { inputs: infer Inputs }
    ? Inputs & Streamed
    : AiInputs
  : AiInputs;

export type OutputOf<Name> = Name extends keyof AiModels
  ? AiModels[Name] extends { output: infer Output }
    ? Output
    : AiAnswer
  : AiAnswer;

/** The model's own inputs, which a prediction takes. */
export type PredictionInputOf<Name> = Name extends keyof AiModels
  ? AiModels[Name] extends { prediction: { input: infer Input } }
    ? Input
    : AiInputs
  : AiInputs;

/** The model's output as it gives it. */
export type PredictionOutputOf<Name> = Name extends keyof AiModels
  ? AiModels[Name] extends { prediction: { output: infer Output } }
    ? Output
    : unknown
  : unknown;

export type Metadata = Readonly<Record<string, string | number | boolean | null>>;

/** As the options of `env.AI.run` in Workers. */
export interface RunOptions {
  readonly gateway?: GatewayOptions;
  /** Said about the call, for its log and its bill; the same as `gateway.metadata`. */
  readonly metadata?: Metadata;
  /** The whole `Response` instead of what is in it, and no error for a refusal. */
  readonly returnRawResponse?: boolean;
  /** Accepted and kept: the answer says where to ask for the result. */
  readonly queueRequest?: boolean;
  /** Refused (code 3040) instead of waiting for a free instance. */
  readonly rejectIfBusy?: boolean;
  /** Up to 5, of up to 50 letters, digits or `: - . / @`. */
  readonly tags?: readonly string[];
  /** Goes on for whoever comes back, however long the caller is gone; otherwise it ends some seconds after. */
  readonly detach?: boolean;
  readonly prefix?: string;
  readonly extraHeaders?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface GatewayOptions {
  readonly id?: string;
  readonly cacheKey?: string;
  /** Seconds. */
  readonly cacheTtl?: number;
  readonly skipCache?: boolean;
  readonly metadata?: Metadata;
  readonly collectLog?: boolean;
  readonly eventId?: string;
  /** To the first piece of the answer. */
  readonly requestTimeoutMs?: number;
  readonly retries?: {
    readonly maxAttempts?: 1 | 2 | 3 | 4 | 5;
    readonly retryDelayMs?: number;
    readonly backoff?: "constant" | "linear" | "exponential";
  };
}
