import { z } from "zod";

import {
  capabilities,
  modalities,
  type Capability,
  type CatalogEntry,
  type Modality,
  type UpstreamTarget,
} from "./entry.ts";

/** What an operator says about an own model beyond what its image says; it holds over all versions. */
export interface OwnMetadata {
  readonly name?: string;
  readonly description?: string;
  /** Tokens. */
  readonly contextLength?: number;
  readonly maxOutputTokens?: number;
  readonly modalities?: {
    readonly input: readonly Modality[];
    readonly output: readonly Modality[];
  };
  readonly capabilities?: readonly Capability[];
  readonly tags?: readonly string[];
  /** Others that can serve it, tried in this order; `deployment` is its own. */
  readonly upstreams?: readonly UpstreamTarget[];
}

const tokens = z.int().positive();

export const ownMetadataSchema: z.ZodType<OwnMetadata> = z.strictObject({
  name: z.string().min(1).max(200).exactOptional(),
  description: z.string().max(4_000).exactOptional(),
  contextLength: tokens.exactOptional(),
  maxOutputTokens: tokens.exactOptional(),
  modalities: z
    .strictObject({ input: z.array(z.enum(modalities)), output: z.array(z.enum(modalities)) })
    .exactOptional(),
  capabilities: z.array(z.enum(capabilities)).exactOptional(),
  tags: z.array(z.string().max(100)).max(50).exactOptional(),
  upstreams: z
    .array(
      z.discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("deployment"), modelId: z.string().min(1) }),
        z.strictObject({
          kind: z.literal("provider"),
          provider: z.string().min(1),
          model: z.string().min(1),
        }),
      ]),
    )
    .min(1)
    .max(50)
    .exactOptional(),
});

/** An own model's entry with what the operator said about it. */
export function withMetadata(entry: CatalogEntry, metadata: OwnMetadata | undefined): CatalogEntry {
  return metadata === undefined ? entry : { ...entry, ...metadata };
}
