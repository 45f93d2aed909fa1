import type { StartHistory } from "../catalog/starts.ts";
import { GatewayError } from "../errors.ts";
import type { RenderedError, Services, Surface } from "../http/call.ts";
import { sendTagged } from "../http/tagged.ts";
import { authorize } from "../keys/authorize.ts";
import { aliasRoutes } from "./alias-routes.ts";
import { budgetRoutes } from "./budget-routes.ts";
import { cacheRoutes } from "./cache-routes.ts";
import { catalogRoutes } from "./catalog-routes.ts";
import { logRoutes } from "./log-routes.ts";
import { priceRoutes } from "./price-routes.ts";
import { providerRoutes } from "./provider-routes.ts";
import { limitRoutes } from "./limit-routes.ts";
import { routeRoutes } from "./route-routes.ts";
import { spendRoutes } from "./spend-routes.ts";
import { matchPath, type Administration, type AdminRoute } from "./route.ts";

export const adminRoutes: readonly AdminRoute[] = [
  ...catalogRoutes,
  ...aliasRoutes,
  ...priceRoutes,
  ...providerRoutes,
  ...logRoutes,
  ...routeRoutes,
  ...limitRoutes,
  ...spendRoutes,
  ...budgetRoutes,
  ...cacheRoutes,
];

/** Folders of `/api/v1` that are the gateway's; the others are somebody else's. */
const folders: ReadonlySet<string> = new Set([
  "catalog",
  "aliases",
  "prices",
  "providers",
  "logs",
  "routes",
  "limits",
  "spend",
  "budgets",
  "cache",
  "price-history",
  "hardware-prices",
]);

/** The administration of catalog and providers, in the shapes of the platform's own API. */
export function createAdminSurface(
  services: Services,
  options: { readonly administration: Administration; readonly starts: StartHistory },
): Surface {
  return {
    name: "admin",
    owns: ([api, version, folder]) =>
      api === "api" && version === "v1" && folder !== undefined && folders.has(folder),
    // Every route has scopes of its own.
    isOpen: () => true,
    async handle(call) {
      const { route, parameters } = findRoute(call.method, call.segments.slice(2));
      call.key = authorize(call.request.headers, services.keys, route.scopes);
      const body = await route.handle({ ...options, call, services, parameters });
      if (call.response.headersSent) return;
      if (body === undefined) call.response.writeHead(204).end();
      else sendTagged(call, { status: route.status ?? 200, body });
    },
    renderError,
  };
}

function findRoute(
  method: string,
  segments: readonly string[],
): { readonly route: AdminRoute; readonly parameters: Readonly<Record<string, string>> } {
  const path = `/api/v1/${segments.join("/")}`;
  const others: string[] = [];
  for (const route of adminRoutes) {
    const parameters = matchPath(route.path, segments);
    if (parameters === undefined) continue;
    if (route.method === method) return { route, parameters };
    others.push(route.method);
  }
  if (others.length === 0) {
    throw new GatewayError("not_found", `There is nothing at ${path}.`, {
      hint: "/api/v1/openapi.json lists what there is.",
    });
  }
  const text = `${method} is not for ${path}; use ${[...new Set(others)].join(" or ")}.`;
  throw new GatewayError("method_not_allowed", text);
}

function renderError(error: GatewayError): RenderedError {
  const { status, code, message, hint, parameter, retryAfterMs } = error;
  return {
    status,
    body: {
      error: {
        code,
        message,
        ...(hint === undefined ? {} : { hint }),
        ...(parameter === undefined ? {} : { parameter }),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      },
    },
  };
}
