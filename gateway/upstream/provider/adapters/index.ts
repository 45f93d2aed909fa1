import type { AdapterId, ProviderAdapter } from "../adapter.ts";

const all: readonly ProviderAdapter[] = [];

/** Every provider that byom can speak to. */
export const adapters: ReadonlyMap<AdapterId, ProviderAdapter> = new Map(
  all.map((adapter) => [adapter.id, adapter]),
);
