import { z } from "zod";

import type { AdapterId } from "./adapter.ts";

/** A third-party provider as the operator wrote it down, without its key. */
export interface ProviderConfig {
  readonly adapter: AdapterId;
  /** Default: the adapter's own. Without a slash at the end. */
  readonly baseUrl?: string;
  /** Added to every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Private and loopback addresses may be called: an own vLLM, Ollama, a model server on the LAN. */
  readonly allowPrivate?: boolean;
  readonly key: KeyReference;
}

/** Where a provider's key comes from; `stored`: encrypted in the catalog's file. */
export type KeyReference =
  | { readonly kind: "none" }
  | { readonly kind: "stored" }
  | { readonly kind: "environment"; readonly variable: string }
  | { readonly kind: "file"; readonly path: string };

export const adapterIds: readonly [AdapterId, ...AdapterId[]] = [
  "openai-compatible",
  "openai",
  "anthropic",
  "google",
  "alibaba",
  "assemblyai",
  "bytedance",
  "inworld",
  "minimax",
  "pixverse",
  "recraft",
  "runway",
  "vidu",
  "workers-ai",
  "replicate",
];

/** Such as `my-vllm`. */
export const providerNameSchema: z.ZodType<string> = z
  .string()
  .max(64)
  .regex(/^[a-z0-9][a-z0-9._-]*$/, "a provider's name: lower-case letters, digits, dots, dashes");

/** No header is as long; a pasted file is. */
const headerLengthMax = 4_096;
/** Of a service account's JSON, which is the longest key known. */
export const keyLengthMax = 16_384;

/** A key as it may be sent in a header: one line of printable characters. */
export const keySchema: z.ZodType<string> = z
  .string()
  .min(1, "the key is empty")
  .max(keyLengthMax)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, "a key is one line without spaces around it");

/** A POSIX name of a variable. */
export const variableSchema: z.ZodType<string> = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);

export const baseUrlSchema: z.ZodType<string> = z
  .url({ protocol: /^https?$/ })
  .max(2_048)
  .refine((url) => !new URL(url).username && !new URL(url).password, "no credentials in the URL")
  .transform((url) => url.replace(/\/+$/, ""));

export const headersSchema: z.ZodType<Readonly<Record<string, string>>> = z.record(
  z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "not a header's name"),
  z
    .string()
    .max(headerLengthMax)
    .regex(/^[\x20-\x7e]*$/, "not a header's value"),
);

const fields = {
  adapter: z.enum(adapterIds),
  baseUrl: baseUrlSchema.exactOptional(),
  headers: headersSchema.exactOptional(),
  allowPrivate: z.boolean().exactOptional(),
};

export const providerConfigSchema: z.ZodType<ProviderConfig> = z.strictObject({
  ...fields,
  key: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("none") }),
    z.strictObject({ kind: z.literal("stored") }),
    z.strictObject({ kind: z.literal("environment"), variable: variableSchema }),
    z.strictObject({ kind: z.literal("file"), path: z.string().min(1) }),
  ]),
});

/** A provider as a caller of the API gives it; the key itself goes into the secret store and never comes out. */
export interface ProviderBody {
  readonly adapter: AdapterId;
  readonly baseUrl?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly allowPrivate?: boolean;
  readonly key?: string;
  /** Name of a variable in the platform's environment that holds the key. */
  readonly keyEnvironment?: string;
}

export const providerBodySchema: z.ZodType<ProviderBody> = z
  .strictObject({
    ...fields,
    key: keySchema.exactOptional(),
    keyEnvironment: variableSchema.exactOptional(),
  })
  .refine(
    ({ key, keyEnvironment }) => key === undefined || keyEnvironment === undefined,
    "key and keyEnvironment exclude each other",
  );
