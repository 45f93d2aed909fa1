import type { Streamed } from "./types.ts";

/** A file as an input: a URL or data URI, or bytes, which are sent as one. */
export type FileInput =
  | string
  | Blob
  | ArrayBuffer
  | Uint8Array
  | { readonly body: ReadableStream<Uint8Array>; readonly contentType: string };

export interface ChatMessage {
  readonly role: "system" | "developer" | "user" | "assistant" | "tool";
  readonly content: string | null | readonly Readonly<Record<string, unknown>>[];
  readonly name?: string;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly Readonly<Record<string, unknown>>[];
}

/** A chat, which any model that answers text takes; what it has no input for is refused by name. */
export interface ChatInputs extends Streamed {
  readonly messages: readonly ChatMessage[];
  readonly max_tokens?: number;
  readonly temperature?: number;
  readonly top_p?: number;
  readonly top_k?: number;
  readonly seed?: number;
  readonly stop?: string | readonly string[];
  readonly frequency_penalty?: number;
  readonly presence_penalty?: number;
  readonly repetition_penalty?: number;
  readonly tools?: readonly Readonly<Record<string, unknown>>[];
  readonly tool_choice?: string | Readonly<Record<string, unknown>>;
  readonly response_format?: Readonly<Record<string, unknown>>;
  readonly reasoning_effort?: string | null;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  /** Guessed from the length of the text: the model does not count. */
  readonly estimated?: boolean;
}

/** What a chat is answered with: as Workers AI's models, and as OpenAI's. */
export interface ChatAnswer {
  readonly response: string;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly name: string;
    readonly arguments: unknown;
  }[];
  readonly usage: Usage;
  readonly id: string;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly message: { readonly role: "assistant"; readonly content: string | null };
    readonly finish_reason: string;
  }[];
}

export interface TextAnswer {
  readonly response: string;
  /** Of models that describe images. */
  readonly description?: string;
  readonly usage: Usage;
}

export interface EmbeddingInputs {
  readonly text: string | readonly string[];
  readonly dimensions?: number;
}

export interface EmbeddingAnswer {
  readonly shape: readonly [number, number];
  readonly data: readonly (readonly number[])[];
}

export interface TranscriptAnswer {
  readonly text: string;
  readonly word_count: number;
  readonly segments?: readonly {
    readonly start: number;
    readonly end: number;
    readonly text: string;
  }[];
  readonly words?: readonly {
    readonly start: number;
    readonly end: number;
    readonly word: string;
  }[];
  readonly transcription_info?: { readonly language?: string; readonly duration?: number };
}

/** One file as its bytes; a file that lies elsewhere, or several, by their names. */
export type FileAnswer = ReadableStream<Uint8Array>;
