import {
  noSuchPath,
  type Call,
  type RenderedError,
  type Services,
  type Surface,
} from "../../http/call.ts";
import type { GatewayError } from "../../errors.ts";
import { delegate, renderDelegated } from "../delegate.ts";
import { failedState, renderError, RunStateError } from "./errors.ts";
import { modelSchema, searchAuthors, searchModels, searchTasks } from "./models.ts";
import { runFromBody, runFromPath } from "./rest.ts";
import { callHeaders } from "./run.ts";
import { openAiPath } from "./v1.ts";

/**
 * Workers AI's REST API under `/client/v4/accounts/{any}/ai`; there is one account here, whatever its id. What lies under
 * `…/ai/v1` is answered by the surfaces of those shapes.
 * Sources: the `cloudflare` client 7.3.0, developers.cloudflare.com/workers-ai and /ai-gateway (2026-08).
 */
export function createWorkersAiSurface(services: Services, surfaces: readonly Surface[]): Surface {
  return {
    name: "workers-ai",
    // The administration of a gateway is AI Gateway's.
    owns: ([client, version, , , service]) =>
      client === "client" && version === "v4" && service !== "ai-gateway",
    async handle(call) {
      for (const [name, value] of Object.entries(callHeaders(call))) {
        call.response.setHeader(name, value);
      }
      const [, , accounts, , ai, ...rest] = call.segments;
      if (accounts !== "accounts" || ai !== "ai") throw noSuchPath(call);
      const path = openAiPath(call);
      if (path === undefined) await route(call, services, rest);
      else await delegate(call, surfaces, path);
    },
    renderError: (error, call) => {
      const segments = openAiPath(call);
      if (segments === undefined) return renderRestError(error);
      return renderDelegated(error, { call, surfaces, segments }) ?? renderRestError(error);
    },
  };
}

async function route(call: Call, services: Services, rest: readonly string[]): Promise<void> {
  const path = rest.join("/");
  if (path === "run") await runFromBody(call, services, "by-model");
  // One segment `owner%2Fname` (the SDK's) or several, as in `@cf/owner/name`.
  else if (rest[0] === "run") await runFromPath(call, services, rest.slice(1).join("/"));
  else if (path === "models/search") searchModels(call, services);
  else if (path === "models/schema") modelSchema(call, services);
  else if (path === "tasks/search") searchTasks(call, services);
  else if (path === "authors/search") searchAuthors(call, services);
  else throw noSuchPath(call);
}

function renderRestError(error: GatewayError): RenderedError {
  const rendered = renderError(error);
  if (!(error instanceof RunStateError)) return rendered;
  return { status: rendered.status, body: failedState(error, error.model) };
}
