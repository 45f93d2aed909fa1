import type { GatewayError } from "../../errors.ts";
import { readBody } from "../../http/body.ts";
import {
  allowMethods,
  noSuchPath,
  type Call,
  type RenderedError,
  type Services,
  type Surface,
} from "../../http/call.ts";
import { delegate, renderDelegated } from "../delegate.ts";
import {
  renderBindingError,
  failedState,
  renderError,
  RunStateError,
} from "../workers-ai/errors.ts";
import { searchModels } from "../workers-ai/models.ts";
import { runFromBody, runFromPath } from "../workers-ai/rest.ts";
import { callHeaders } from "../workers-ai/run.ts";
import { gatewayUrl, runFromBinding } from "./binding.ts";
import { serveDynamicRoutes } from "./dynamic-routes.ts";
import { renderGatewayError } from "./errors.ts";
import { callLog, logsOverRest } from "./logs.ts";
import { findProvider, passToProvider } from "./provider-pass.ts";
import { resumeRun } from "./resume.ts";
import { runUniversal, shapePath } from "./universal.ts";

/**
 * Cloudflare's AI Gateway: the routes behind the `env.AI` binding of Workers (`/run`, `/ai-gateway/…`, `/ai-api/…`), and
 * the host `gateway.ai.cloudflare.com`, whose `/v1/{account}/{gateway}/…` lies here under `/gateway/v1/…`, for `/v1` is
 * OpenAI's. Account and gateway may be any name: there is one of each.
 *
 * A local Worker reaches it through workerd's own binding: an external service at this address, with the key as an
 * injected header (`injectRequestHeaders`), is the inner `fetcher` of `cloudflare-internal:ai-api`.
 */
export function createAiGatewaySurface(services: Services, surfaces: readonly Surface[]): Surface {
  const context = { services, surfaces };
  return {
    name: "ai-gateway",
    owns: ([root, ...rest]) =>
      (root === "run" && rest.length === 0) ||
      root === "ai-gateway" ||
      root === "ai-api" ||
      (root === "gateway" && rest[0] === "v1") ||
      isRest([root, ...rest]),
    // Routes are administered: their handler asks for another scope.
    isOpen: ({ segments }) => isRest(segments) && segments[7] === "routes",
    async handle(call) {
      for (const [name, value] of Object.entries(callHeaders(call))) {
        call.response.setHeader(name, value);
      }
      const [root] = call.segments;
      if (root === "client") await routeRest(call, context);
      else if (root === "gateway") await routeHost(call, context);
      else await routeBinding(call, context);
    },
    renderError: (error, call) => {
      const segments = shapeSegments(call);
      const delegated =
        segments === undefined ? undefined : renderDelegated(error, { call, surfaces, segments });
      return delegated ?? renderOwnError(error, call);
    },
  };
}

interface Context {
  readonly services: Services;
  readonly surfaces: readonly Surface[];
}

/** `/client/v4/accounts/{any}/ai-gateway/…`: Cloudflare's administration of a gateway, as far as there is one here. */
function isRest([client, version, accounts, , service]: readonly (string | undefined)[]): boolean {
  return (
    client === "client" && version === "v4" && accounts === "accounts" && service === "ai-gateway"
  );
}

async function routeRest(call: Call, { services }: Context): Promise<void> {
  const [, , , , , gateways, gateway, what, ...rest] = call.segments;
  if (gateways !== "gateways" || gateway === undefined) throw noSuchPath(call);
  if (what === "routes") await serveDynamicRoutes(call, services, { gateway, rest });
  else if (what === "logs") await logsOverRest(call, services, rest);
  else throw noSuchPath(call);
}

/** What the binding asks for, whose URLs all begin with `https://workers-binding.ai`. */
async function routeBinding(call: Call, { services, surfaces }: Context): Promise<void> {
  const [root, kind, id = "", action, item = "", last] = call.segments;
  if (root === "run" || (kind === "run" && id === "")) {
    await runFromBinding(call, services, surfaces);
  } else if (root === "ai-api") {
    if (call.segments.slice(1).join("/") !== "models/search") throw noSuchPath(call);
    searchModels(call, services);
  } else if (kind === "universal" && id === "run") {
    allowMethods(call, "POST");
    await runUniversal(call, services, surfaces);
  } else if (kind !== "gateways") {
    throw noSuchPath(call);
  } else if (action === "url" && item !== "") {
    gatewayUrl(call, id, item);
  } else if (action === "logs" && item !== "") {
    await callLog(call, services, item);
  } else if (action === "run" && last === "resume") {
    await resumeRun(call, services, item);
  } else {
    throw noSuchPath(call);
  }
}

/** `/gateway/v1/{account}/{gateway}/…`. */
async function routeHost(call: Call, { services, surfaces }: Context): Promise<void> {
  const [, , , gateway, provider, ...rest] = call.segments;
  if (gateway === undefined) throw noSuchPath(call);
  const shape = shapeSegments(call);
  if (provider === undefined) {
    allowMethods(call, "POST");
    await runUniversal(call, services, surfaces);
  } else if (provider === "run" && rest.length === 0) {
    await runFromBody(call, services, "state");
  } else if (shape !== undefined) {
    await delegate(call, surfaces, shape);
  } else if (provider === "workers-ai" || provider === "byom") {
    const model = rest[0] === "run" ? rest.slice(1) : rest;
    await runFromPath(call, services, model.join("/"));
  } else {
    await passThrough(call, services, provider);
  }
}

/** Paths in OpenAI's or Anthropic's shape: `…/compat/chat/completions`, `…/workers-ai/v1/chat/completions`. */
function shapeSegments(call: Call): readonly string[] | undefined {
  const [root, , , , provider, ...rest] = call.segments;
  if (root !== "gateway") return undefined;
  const isOwn = provider === "compat" || provider === "workers-ai" || provider === "byom";
  return isOwn ? shapePath(rest.join("/")) : undefined;
}

/** `…/{provider}/…`: the provider's real path, which begins after its name. */
async function passThrough(call: Call, services: Services, name: string): Promise<void> {
  const provider = findProvider(services, name);
  const path = call.segments.slice(5).map(encodeURIComponent).join("/");
  const query = call.query.toString();
  await passToProvider(call, services, {
    provider,
    method: call.method,
    // Google's paths have a colon in their last segment.
    endpoint: `${path.replaceAll("%3A", ":")}${query === "" ? "" : `?${query}`}`,
    headers: call.request.headers,
    body: await readBody(call.request),
    bringsKey: false,
    isLast: true,
  });
}

function renderOwnError(error: GatewayError, call: Call): RenderedError {
  const [root, kind, id, , provider] = call.segments;
  if (root === "run" || (root === "ai-gateway" && kind === "run" && id === undefined)) {
    return renderBindingError(error);
  }
  if (error instanceof RunStateError) {
    return { status: renderError(error).status, body: failedState(error, error.model) };
  }
  // Behind a gateway as before it: Workers AI's own codes.
  const isWorkersAi = root === "client" || (root === "gateway" && provider === "workers-ai");
  return isWorkersAi ? renderError(error) : renderGatewayError(error);
}
