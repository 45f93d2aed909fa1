import type { CatalogEntry } from "../../catalog/entry.ts";
import { success } from "./errors.ts";

/**
 * Around a result: `classic` is the REST API's `{result, success, …}`; `state` the newer `{state, result, provider,
 * model}` of third parties' models, in one object with the classic one, as it is not documented which of them Cloudflare
 * answers; `bare` what the binding of Workers gets.
 */
export type EnvelopeKind = "classic" | "state" | "bare";

export function enclose(kind: EnvelopeKind, entry: CatalogEntry, result: unknown): unknown {
  if (kind === "bare") return result;
  if (kind === "classic") return success(result);
  return {
    state: "Completed",
    ...success(result),
    provider: providerName(entry),
    model: entry.id,
  };
}

/** Who serves a model: a provider's name, or `byom` for an own one. */
export function providerName(entry: CatalogEntry): string {
  const [first] = entry.upstreams ?? [];
  return first?.kind === "provider" ? first.provider : "byom";
}

export function isThirdParty(entry: CatalogEntry): boolean {
  return entry.upstreams?.[0]?.kind === "provider";
}
