import { GatewayError } from "../errors.ts";
import type { Services } from "../http/call.ts";
import {
  limitNameSchema,
  standingLimitSchema,
  type StandingLimit,
} from "../route/limits/standing-limit.ts";
import { check, readAdminBody } from "./body.ts";
import type { AdminCall, AdminRoute } from "./route.ts";

/** A look at a limit shows this many of the values that it counts apart. */
const partitionsShownMax = 100;

export const limitRoutes: readonly AdminRoute[] = [
  {
    method: "GET",
    path: "/limits",
    summary: "Limits of requests, tokens, money and calls at once, whatever the route",
    scopes: ["admin", "deploy"],
    handle: ({ services }) => ({
      limits: services.router.book.limits.map((limit) => shown(limit, services)),
    }),
  },
  {
    method: "GET",
    path: "/limits/{name}",
    summary: "One limit, with what is used of it now",
    scopes: ["admin", "deploy"],
    handle: (admin) => {
      const limit = limitOf(admin);
      const { limiter } = admin.services.router;
      const used = limiter.counters.list(limit.rule, limiter.clock());
      return { ...shown(limit, admin.services), used: used.slice(0, partitionsShownMax) };
    },
  },
  {
    method: "PUT",
    path: "/limits/{name}",
    summary:
      "Sets a limit; the next call is held to it. What was counted stays while its window is the same",
    scopes: ["admin"],
    body: standingLimitSchema,
    handle: async ({ services, call, parameters }) => {
      const name = check(limitNameSchema, parameters["name"], "name");
      const body = await readAdminBody(call.request, standingLimitSchema);
      return shown(services.router.book.putLimit(name, body), services);
    },
  },
  {
    method: "DELETE",
    path: "/limits/{name}",
    summary: "Takes a limit back, with what was counted for it",
    scopes: ["admin"],
    handle: (admin) => {
      const { name, rule } = limitOf(admin);
      const { router } = admin.services;
      router.book.removeLimit(name);
      router.limiter.counters.forget(rule.id);
    },
  },
];

function limitOf({ services, parameters }: AdminCall): StandingLimit {
  const name = parameters["name"] ?? "";
  const limit = services.router.book.limit(name);
  if (limit !== undefined) return limit;
  throw new GatewayError("not_found", `There is no limit ${name}.`, {
    hint: "`byom limits` lists them.",
  });
}

function shown({ name, body }: StandingLimit, { router }: Services): Record<string, unknown> {
  const limit = router.book.limit(name);
  const counted = limit === undefined ? 0 : router.limiter.counters.list(limit.rule, 0).length;
  return { name, ...body, counters: counted };
}
