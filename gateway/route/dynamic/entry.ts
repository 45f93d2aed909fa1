import type { Catalog, CatalogEntry, UpstreamTarget } from "../../catalog/entry.ts";
import type { Route, RouteBook } from "./book.ts";
import { describe, dynamicPrefix } from "./document.ts";
import { legsOf } from "./graph.ts";
import { legEntry, type LegSources } from "./legs.ts";

/**
 * A catalog in whose lists routes stand beside models, as entries with the input and output of their first model. A
 * route of a plain model (`models/ID`) is not listed: the model is.
 */
export function catalogWithRoutes(catalog: Catalog, book: RouteBook, sources: LegSources): Catalog {
  const entriesOf = (): readonly CatalogEntry[] =>
    book.list().flatMap((route) => routeEntry(route, sources) ?? []);
  const versions = catalog.versions?.bind(catalog);
  return {
    get(name) {
      const route = name.startsWith(dynamicPrefix) ? book.get(name) : undefined;
      return (route && routeEntry(route, sources)) ?? catalog.get(name);
    },
    list: () => [...catalog.list(), ...entriesOf()],
    ...(versions !== undefined && {
      versions(name: string) {
        const route = name.startsWith(dynamicPrefix) ? book.get(name) : undefined;
        const entry = route && routeEntry(route, sources);
        return entry === undefined ? versions(name) : [entry];
      },
    }),
  };
}

/** Undefined while none of the route's models is in the catalog, and for a route of a plain model. */
export function routeEntry(route: Route, sources: LegSources): CatalogEntry | undefined {
  if (!route.fullName.startsWith(dynamicPrefix)) return undefined;
  const entries = legsOf(route.plan.graph).flatMap((leg) => legEntry(leg, sources) ?? []);
  const [first] = entries;
  if (first === undefined) return undefined;
  const { prices: _prices, facts: _facts, ...rest } = first;
  return {
    ...rest,
    id: route.fullName,
    name: titleOf(route),
    description: describe(route.document, entries),
    version: route.version,
    digest: route.digest,
    createdAt: route.createdAt,
    origin: "route",
    tags: ["route"],
    upstreams: upstreamsOf(entries),
  };
}

function titleOf({ name, document }: Route): string {
  return document.name ?? name;
}

function upstreamsOf(entries: readonly CatalogEntry[]): readonly UpstreamTarget[] {
  const known = new Map<string, UpstreamTarget>();
  for (const { id, upstreams } of entries) {
    for (const target of upstreams ?? [{ kind: "deployment", modelId: id } as const]) {
      known.set(JSON.stringify(target), target);
    }
  }
  return [...known.values()];
}
