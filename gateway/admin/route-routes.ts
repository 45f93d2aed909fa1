import { z } from "zod";

import type { Services } from "../http/call.ts";
import type { Scope } from "../keys/keys.ts";
import type { Route } from "../route/dynamic/book.ts";
import { cloudflareRouteSchema } from "../route/dynamic/cloudflare-form.ts";
import { planOf } from "../route/dynamic/document.ts";
import { shortRouteSchema } from "../route/dynamic/short-form.ts";
import { tryBodySchema, tryRoute, type TryReport } from "../route/dynamic/try-route.ts";
import { routeHealth, viewRoute, type HealthSources } from "../route/dynamic/view.ts";
import { readAdminBody } from "./body.ts";
import type { AdminCall, AdminRoute } from "./route.ts";

const readers: readonly Scope[] = ["admin", "deploy"];
/** A route is written by a person. */
const routeBytesMax: number = 1024 * 1024;

/** What is described; what is wrong in a route is named by its reader, with paths that a union would hide. */
const routeBody: z.ZodType = z.union([shortRouteSchema, cloudflareRouteSchema]);
const rollbackBody: z.ZodType<{ readonly version?: number }> = z.strictObject({
  version: z.int().positive().exactOptional(),
});

export const routeRoutes: readonly AdminRoute[] = [
  {
    method: "GET",
    path: "/routes",
    summary: "Routes: what `dynamic/NAME` stands for, and how models are called by default",
    scopes: readers,
    handle: ({ services }) => ({ routes: services.router.book.list().map(viewRoute) }),
  },
  {
    method: "GET",
    path: "/routes/{name}",
    summary: "One route with its document; `models/ID` (its slash encoded) is the route of a model",
    scopes: readers,
    handle: (admin) => shown(routeOf(admin)),
  },
  {
    method: "PUT",
    path: "/routes/{name}",
    summary:
      "Makes a route or a new version of it, in byom's short form or in Cloudflare's JSON; the next call takes it",
    scopes: ["admin"],
    body: routeBody,
    handle: async ({ services, call, parameters }) => {
      const body = await readAdminBody(call.request, z.unknown(), { bytesMax: routeBytesMax });
      const { route, isNew } = services.router.book.put(parameters["name"] ?? "", body);
      return { ...shown(route), isNew };
    },
  },
  {
    method: "DELETE",
    path: "/routes/{name}",
    summary: "Removes a route with its versions",
    scopes: ["admin"],
    handle: ({ services, parameters }) => {
      services.router.book.remove(parameters["name"] ?? "");
    },
  },
  {
    method: "GET",
    path: "/routes/{name}/versions",
    summary: "Its versions, newest first",
    scopes: readers,
    handle: ({ services, parameters }) => ({
      versions: services.router.book.versions(parameters["name"] ?? ""),
    }),
  },
  {
    method: "POST",
    path: "/routes/{name}/rollback",
    summary: "Goes back to a version, or to the one that was in use before",
    scopes: ["admin"],
    body: rollbackBody,
    handle: async ({ services, call, parameters }) => {
      const { version } = await readAdminBody(call.request, rollbackBody);
      return shown(services.router.book.rollback(parameters["name"] ?? "", version));
    },
  },
  {
    method: "POST",
    path: "/routes/{name}/try",
    summary:
      "Which models a call would try, in which order and why; nothing is sent and nothing counted",
    scopes: readers,
    body: tryBodySchema,
    handle: dryRun,
  },
  {
    method: "GET",
    path: "/routes/{name}/health",
    summary: "The upstreams of a route: whether calls go there, and what failed last",
    scopes: readers,
    handle: (admin) => ({ legs: routeHealth(routeOf(admin), healthSources(admin.services)) }),
  },
];

function routeOf({ services, parameters }: AdminCall): Route {
  return services.router.book.demand(parameters["name"] ?? "");
}

function shown(route: Route): Readonly<Record<string, unknown>> {
  return { ...viewRoute(route), document: route.document };
}

async function dryRun(admin: AdminCall): Promise<TryReport> {
  const { services, call } = admin;
  const { router } = services;
  const route = routeOf(admin);
  const body = await readAdminBody(call.request, tryBodySchema);
  return tryRoute(versionOf(route, admin, body.version), body, {
    ...healthSources(services),
    limiter: router.limiter,
    standing: router.book.limits,
    random: router.random,
  });
}

function versionOf(route: Route, { services }: AdminCall, version = route.version): Route {
  if (version === route.version) return route;
  const { document } = services.router.book.version(route.name, version);
  return { ...route, version, document, plan: planOf(document, route.name) };
}

function healthSources({ router, upstream, breakers }: Services): HealthSources {
  return { ...router.sources, upstream, breakers };
}
