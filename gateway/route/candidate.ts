import type { CatalogEntry } from "../catalog/entry.ts";
import type { Target } from "../upstream/provider/target.ts";
import type { RoutePolicy } from "./policy.ts";

/** One place that can answer a call: a model of the catalog at one of its upstreams. */
export interface Candidate {
  readonly entry: CatalogEntry;
  readonly target: Target;
  /** Only when a version is pinned. */
  readonly version?: number;
  /** What the route says about this leg; over the call's policy. */
  readonly policy?: Partial<RoutePolicy>;
  /** The step of the route that gave it, as its limits are counted by it. */
  readonly node?: string;
}

/** What stands for this platform where a provider is named. */
export const ownProvider = "byom";

/** `byom` for an own deployment, else the provider as the operator named it. */
export function providerOf({ target }: Candidate): string {
  return target.kind === "provider" ? target.provider.name : ownProvider;
}

/** As the upstream names the model. */
export function upstreamModelOf({ target }: Candidate): string {
  return target.kind === "provider" ? target.model : target.modelId;
}
