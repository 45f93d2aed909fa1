import type { RequestFormat, Task } from "../../catalog/entry.ts";
import type { GatewayError } from "../../errors.ts";

/** How to speak to one third-party provider: one small file each. */
export interface ProviderAdapter {
  readonly id: AdapterId;
  /** As people say it. */
  readonly title: string;
  /** Absent where the operator must give one (`openai-compatible`). */
  readonly baseUrl?: string;
  /** What the paths and shapes were taken from. */
  readonly source: { readonly document: string; readonly date: string };
  /** Headers that carry the provider's key. */
  authorize(key: string): Readonly<Record<string, string>>;
  /**
   * Runs one call to its end. Text and other pieces go out by `call.emit` as they come; a provider with jobs is polled.
   * @throws `GatewayError` in the gateway's words; the signal's reason when aborted
   */
  run(call: ProviderCall): Promise<ProviderResult>;
  /**
   * The shapes that the provider speaks itself, with their paths under the base URL: such requests and answers pass
   * through as bytes.
   */
  readonly wirePaths?: Readonly<Partial<Record<WireFormat, string>>>;
  /** Of such requests, headers that the provider wants where the caller sent none. */
  readonly wireHeaders?: Readonly<Record<string, string>>;
}

export type AdapterId =
  | "openai-compatible"
  | "openai"
  | "anthropic"
  | "google"
  | "alibaba"
  | "assemblyai"
  | "bytedance"
  | "inworld"
  | "minimax"
  | "pixverse"
  | "recraft"
  | "runway"
  | "vidu"
  | "workers-ai"
  | "replicate";

export type WireFormat =
  | "chat-completions"
  | "completions"
  | "responses"
  | "messages"
  | "embeddings";

export interface ProviderCall {
  /** As the provider names it. */
  readonly model: string;
  readonly task: Task;
  /** The ways in which the catalog says that the model can be called. */
  readonly requestFormats?: readonly RequestFormat[];
  /** Fits the entry's input schema; the names are those of `catalog/standard-schemas.ts`. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Somebody reads the pieces as they come. */
  readonly isStreaming: boolean;
  readonly http: ProviderHttp;
  /** One piece of the output: a text, a chunk of `chat/chunk.ts`, or (for lists) one element. */
  readonly emit: (chunk: unknown) => void;
  /** A line for the prediction's log, such as a job's id or state. */
  readonly log: (line: string) => void;
  /** Waits between two polls; rejects with the signal's reason. */
  readonly pause: (ms: number) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface ProviderResult {
  /** The whole output as the entry's output schema has it. */
  readonly output: unknown;
  /** `input_tokens`, `output_tokens`, `cached_tokens`, `reasoning_tokens`, `finish_reason`, and whatever is counted. */
  readonly metrics: Readonly<Record<string, unknown>>;
}

/** HTTP to one provider: base URL, key, deadlines, bounds and the translation of failures are its business. */
export interface ProviderHttp {
  /** The provider as the operator named it, for messages. */
  readonly provider: string;
  /** The whole answer as JSON. @throws `GatewayError` for every status but 2xx */
  json(request: ProviderRequest): Promise<ProviderAnswer<unknown>>;
  /** The whole answer as bytes, such as audio. */
  bytes(request: ProviderRequest): Promise<ProviderAnswer<Buffer>>;
  /**
   * What an input refers to: the content of a data URI, or what an URL of the public network answers.
   * @throws `GatewayError` `invalid_input`
   */
  file(uri: string): Promise<ProviderFile>;
  /** Sent although the call has been aborted, such as the cancel of a job; bounded, and its failure is nobody's concern. */
  afterwards(request: ProviderRequest): Promise<void>;
  /** The error for a failure that came inside of a 2xx answer, as if it had come with this status. */
  failure(status: number, body: unknown): GatewayError;
  /** Server-sent events as they come. @throws `GatewayError` `upstream_cut` when the stream breaks off */
  events(request: ProviderRequest): AsyncIterable<ProviderEvent>;
  /** The lines of an answer as they come, without the empty ones: JSON of which each line is a value. */
  lines(request: ProviderRequest): AsyncIterable<string>;
}

export interface ProviderRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Under the base URL, or an absolute URL of the same provider. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON unless it is a `Buffer` or a `FormBody`. */
  readonly body?: unknown;
  /** Looks a model up: a 404 says that there is none. */
  readonly isModelPage?: boolean;
  /** Not broken off when the call is aborted, so that what it began can be canceled; bounded in time nevertheless. */
  readonly outlivesCall?: boolean;
  /** A file of the provider's: redirects are followed, other origins get no key and are looked at as a caller's URL is. */
  readonly isDownload?: boolean;
}

export interface ProviderFile {
  readonly contentType: string;
  readonly bytes: Buffer;
}

export interface ProviderAnswer<Body> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Body;
}

export interface ProviderEvent {
  /** `event:` field; `message` when there is none. */
  readonly name: string;
  readonly data: string;
}
