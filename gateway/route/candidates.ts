import type { CatalogEntry, UpstreamTarget } from "../catalog/entry.ts";
import { chooseTarget, hasKey, type Target } from "../upstream/provider/target.ts";
import type { Providers } from "../upstream/provider/providers.ts";
import type { Candidate } from "./candidate.ts";

export interface CandidateFacts {
  readonly entry: CatalogEntry;
  /** Only when the caller pinned one. */
  readonly version?: number | undefined;
  /** The caller's own key for a third party. */
  readonly providerKey?: string | undefined;
}

/**
 * What can answer a call of an entry, the preferred one first: own deployments and every provider for which there is a
 * key. A caller's own key is for the first of the providers and for no other one, and who brings one does not want to
 * spend the operator's: then there is no other provider behind it. A version is pinned of a deployment only.
 * @throws `GatewayError` `provider_not_configured`
 */
export function candidatesOf(facts: CandidateFacts, providers: Providers): readonly Candidate[] {
  const { entry, version, providerKey } = facts;
  if (entry.upstreams === undefined || entry.upstreams.length === 1) {
    return [candidate(entry, chooseTarget(entry, providers, providerKey), version)];
  }
  const found: Candidate[] = [];
  for (const upstream of entry.upstreams) {
    if (version !== undefined && upstream.kind !== "deployment") continue;
    const target = targetOf(upstream, providers, providerKey);
    if (target === undefined) continue;
    found.push(candidate(entry, target, version));
    if (target.kind === "provider" && providerKey !== undefined) break;
  }
  // Its refusal says what is missing.
  if (found.length === 0)
    found.push(candidate(entry, chooseTarget(entry, providers, providerKey), version));
  return found;
}

function targetOf(
  upstream: UpstreamTarget,
  providers: Providers,
  callerKey: string | undefined,
): Target | undefined {
  if (upstream.kind === "deployment") return upstream;
  const provider = providers.get(upstream.provider);
  if (provider === undefined || !hasKey(provider, callerKey)) return undefined;
  return { kind: "provider", provider, model: upstream.model };
}

function candidate(entry: CatalogEntry, target: Target, version: number | undefined): Candidate {
  return { entry, target, ...(version !== undefined && { version }) };
}
