import { ownProvider, providerOf, upstreamModelOf, type Candidate } from "../candidate.ts";
import type { BreakerView } from "../breaker.ts";
import { GatewayError } from "../../errors.ts";
import type { ModelState, Upstream } from "../../upstream/upstream.ts";
import type { Route } from "./book.ts";
import { legsOf } from "./graph.ts";
import { legCandidates, type LegSources } from "./legs.ts";

/** A route as `GET /api/v1/routes` shows it. */
export interface RouteView {
  readonly id: string;
  readonly name: string;
  /** What a call names: `dynamic/NAME`, or the model itself for `models/ID`. */
  readonly call: string;
  readonly description?: string;
  readonly version: number;
  readonly digest: string;
  /** Those it may try, once each. */
  readonly models: readonly string[];
  readonly form: "short" | "cloudflare";
  readonly createdAt: string;
  readonly modifiedAt: string;
}

export function viewRoute(route: Route): RouteView {
  const { document, name, fullName } = route;
  const description = "description" in document ? document.description : undefined;
  return {
    id: route.id,
    name,
    call: fullName.replace(/^models\//, ""),
    version: route.version,
    digest: route.digest,
    models: [...new Set(legsOf(route.plan.graph).map(wordsOf))],
    form: "elements" in document ? "cloudflare" : "short",
    createdAt: route.createdAt,
    modifiedAt: route.modifiedAt,
    ...(typeof description === "string" && { description }),
  };
}

function wordsOf({ model, provider }: { model: string; provider?: string }): string {
  return provider === undefined ? model : `${model} at ${provider}`;
}

/** How a leg's upstream is doing. */
export interface UpstreamHealth {
  readonly model: string;
  readonly provider: string;
  readonly upstreamModel: string;
  /** `closed`: calls go there. */
  readonly breaker: BreakerView["state"];
  readonly failures?: Omit<BreakerView, "provider" | "upstreamModel" | "state">;
  /** Of an own deployment. */
  readonly state?: ModelState;
}

export interface HealthSources extends LegSources {
  readonly upstream: Upstream;
  readonly breakers: { list(): readonly BreakerView[] };
}

export function healthOf(candidate: Candidate, sources: HealthSources): UpstreamHealth {
  const provider = providerOf(candidate);
  const upstreamModel = upstreamModelOf(candidate);
  const breaker = sources.breakers
    .list()
    .find((view) => view.provider === provider && view.upstreamModel === upstreamModel);
  const state = provider === ownProvider ? sources.upstream.state?.(upstreamModel) : undefined;
  const {
    provider: _provider,
    upstreamModel: _model,
    state: breakerState,
    ...rest
  } = breaker ?? { provider, upstreamModel, state: "closed" as const };
  return {
    model: candidate.entry.id,
    provider,
    upstreamModel,
    breaker: breakerState,
    ...("calls" in rest && { failures: rest }),
    ...(state !== undefined && { state }),
  };
}

/** Every leg of a route with its upstreams, or why it has none. */
export function routeHealth(route: Route, sources: HealthSources): readonly unknown[] {
  const known = new Set<string>();
  return legsOf(route.plan.graph).flatMap((leg) => {
    if (known.has(leg.path)) return [];
    known.add(leg.path);
    try {
      const candidates = legCandidates({ ...leg, node: leg.path }, sources, undefined);
      return [
        {
          leg: leg.path,
          upstreams: candidates.map((candidate) => healthOf(candidate, sources)),
        },
      ];
    } catch (error) {
      const { code, message, hint } = GatewayError.from(error);
      return [{ leg: leg.path, upstreams: [], problem: { code, message, hint } }];
    }
  });
}
