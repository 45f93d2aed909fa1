import type { AdminRoute } from "./route.ts";

export const cacheRoutes: readonly AdminRoute[] = [
  {
    method: "GET",
    path: "/cache",
    summary: "How full the cache of answers is, and how often it has helped since the start",
    scopes: ["admin", "deploy"],
    handle: ({ services }) => services.cache.facts(),
  },
  {
    method: "DELETE",
    path: "/cache",
    summary: "Forgets stored answers; calls under way are not stored either",
    scopes: ["admin"],
    query: { model: "only those of this model; default: all" },
    async handle({ call, services }) {
      const model = call.query.get("model");
      await services.cache.purge(
        model === null ? undefined : (services.catalog.get(model)?.id ?? model),
      );
    },
  },
];
