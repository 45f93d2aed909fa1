import type { CatalogEntry, UpstreamTarget } from "../../catalog/entry.ts";
import { GatewayError } from "../../errors.ts";
import type { Provider, Providers } from "./providers.ts";

export type Target =
  | { readonly kind: "deployment"; readonly modelId: string }
  | { readonly kind: "provider"; readonly provider: Provider; readonly model: string };

/** Whether calls can go to a provider: it has a key, the caller brings one, or servers of its kind need none. */
export function hasKey(provider: Provider, callerKey: string | undefined): boolean {
  return provider.adapter.id === "openai-compatible" || (callerKey ?? provider.key) !== undefined;
}

/**
 * The first of an entry's upstreams that can be called: a deployment, or a provider with a key (its own or the
 * caller's).
 * @throws `GatewayError` `provider_not_configured`
 */
export function chooseTarget(
  entry: CatalogEntry,
  providers: Providers,
  callerKey: string | undefined,
): Target {
  const targets: readonly UpstreamTarget[] = entry.upstreams ?? [
    { kind: "deployment", modelId: entry.id },
  ];
  for (const target of targets) {
    if (target.kind === "deployment") return target;
    const provider = providers.get(target.provider);
    if (provider === undefined) continue;
    if (hasKey(provider, callerKey)) {
      return { kind: "provider", provider, model: target.model };
    }
  }
  const names = targets.flatMap((target) => (target.kind === "provider" ? [target.provider] : []));
  throw new GatewayError(
    "provider_not_configured",
    `${entry.id} is served by ${names.join(" or ")}, for which there is no key here.`,
    {
      hint: `Add one (\`byom providers add ${names[0]} --key-stdin\`), or send your own in x-byom-provider-key.`,
    },
  );
}
