import type { ProviderAdapter } from "./adapter.ts";

/** A third-party provider as the operator configured it. */
export interface Provider {
  /** Such as `openai` or `my-vllm`. */
  readonly name: string;
  readonly adapter: ProviderAdapter;
  /** Without a slash at the end. */
  readonly baseUrl: string;
  /** In clear only in memory; never printed. Absent: each request brings its own. */
  readonly key?: string;
  /** Added to every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The configured providers, in memory; changes take effect with the next call. */
export interface Providers {
  get(name: string): Provider | undefined;
  list(): readonly Provider[];
}
