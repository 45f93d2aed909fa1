import type { Catalog } from "../../catalog/entry.ts";

/** Prefixes that Cloudflare's own clients write before a model, and that name no part of it here. */
const prefixes = ["workers-ai/", "byom/", "dynamic/", "custom-byom/"] as const;

/**
 * The model that a Cloudflare client means: its name as it is when the catalog has it, else without the prefix of a
 * provider (`workers-ai/@cf/owner/name`, `byom/owner/name`).
 */
export function modelReference(catalog: Catalog, name: string): string {
  if (catalog.get(name.split(":", 1)[0] ?? "") !== undefined) return name;
  const prefix = prefixes.find((candidate) => name.startsWith(candidate));
  return prefix === undefined ? name : name.slice(prefix.length);
}
