import { findModel, type FoundModel } from "../../catalog/find.ts";
import type { Catalog, CatalogEntry, UpstreamTarget } from "../../catalog/entry.ts";
import { GatewayError } from "../../errors.ts";
import { chooseTarget } from "../../upstream/provider/target.ts";
import type { Providers } from "../../upstream/provider/providers.ts";
import { ownProvider, type Candidate } from "../candidate.ts";
import { candidatesOf } from "../candidates.ts";
import type { LegPlan } from "./graph.ts";

/** Where the models of legs are looked up. */
export interface LegSources {
  readonly catalog: Catalog;
  readonly providers: Providers;
}

/** Names that Cloudflare has for who serves a model, with the names that they may have here. */
const cloudflareNames: Readonly<Record<string, readonly string[]>> = {
  "google-ai-studio": ["google-ai-studio", "google"],
  "google-vertex-ai": ["google-vertex-ai", "google"],
  "workers-ai": ["workers-ai", ownProvider],
};

/** Who is meant by a provider's name in a route. */
function namesOf(provider: string): readonly string[] {
  const custom = provider.startsWith("custom-") ? [provider.slice("custom-".length)] : [];
  return [...(cloudflareNames[provider] ?? [provider]), ...custom];
}

/** Why nobody serves a leg's model; undefined when somebody could, whether there is a key for it now or not. */
export function legProblem(leg: LegPlan, { catalog }: LegSources): string | undefined {
  try {
    resolveLeg(leg, catalog);
    return undefined;
  } catch (error) {
    const { message, hint } = GatewayError.from(error);
    return hint === undefined ? message : `${message} ${hint}`;
  }
}

/** The catalog's entry of a leg's model; undefined while there is none. */
export function legEntry(leg: LegPlan, { catalog }: LegSources): CatalogEntry | undefined {
  try {
    return resolveLeg(leg, catalog).found.entry;
  } catch {
    return undefined;
  }
}

/**
 * What can answer a leg: every upstream of its model, or only that of the provider that it names.
 * @throws `GatewayError` `model_not_found`, `provider_not_configured`
 */
export function legCandidates(
  leg: LegPlan & { readonly node: string },
  sources: LegSources,
  providerKey: string | undefined,
): readonly Candidate[] {
  const { found, only } = resolveLeg(leg, sources.catalog);
  const { entry, version } = found;
  const candidates: readonly Candidate[] =
    only === undefined
      ? candidatesOf({ entry, version, providerKey }, sources.providers)
      : [
          {
            entry,
            target: chooseTarget({ ...entry, upstreams: [only] }, sources.providers, providerKey),
            ...(version !== undefined && { version }),
          },
        ];
  const { policy, node } = leg;
  return candidates.map((candidate) => ({
    ...candidate,
    node,
    ...(policy !== undefined && { policy }),
  }));
}

interface ResolvedLeg {
  readonly found: FoundModel;
  /** The one upstream that the leg names. */
  readonly only?: UpstreamTarget;
}

/** @throws `GatewayError` `model_not_found` */
function resolveLeg({ model, provider }: LegPlan, catalog: Catalog): ResolvedLeg {
  if (provider === undefined) return { found: findModel(catalog, model) };
  const names = namesOf(provider);
  const byId = [model, ...names.map((name) => `${name}/${model}`)];
  for (const id of byId) {
    const entry = catalog.get(id);
    const only = entry && targetsOf(entry).find((target) => isAt(target, names));
    if (entry !== undefined && only !== undefined) return { found: { entry }, only };
  }
  for (const entry of catalog.list()) {
    const only = targetsOf(entry).find(
      (target) => target.kind === "provider" && isAt(target, names) && target.model === model,
    );
    if (only !== undefined) return { found: { entry }, only };
  }
  throw new GatewayError("model_not_found", `There is no model ${model} at ${provider}.`, {
    parameter: "model",
    hint: `Add it: byom models add ${provider}/${model} --provider ${provider} --model ${model}`,
  });
}

function targetsOf(entry: CatalogEntry): readonly UpstreamTarget[] {
  return entry.upstreams ?? [{ kind: "deployment", modelId: entry.id }];
}

function isAt(target: UpstreamTarget, names: readonly string[]): boolean {
  return names.includes(target.kind === "provider" ? target.provider : ownProvider);
}
