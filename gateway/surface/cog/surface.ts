import type { GatewayError } from "../../errors.ts";
import { findModel, type FoundModel } from "../../catalog/find.ts";
import {
  allowMethods,
  noSuchPath,
  type Call,
  type RenderedError,
  type Services,
  type Surface,
} from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import type { ModelState } from "../../upstream/upstream.ts";
import { openApiDocument } from "../replicate/models.ts";
import { cancelPrediction, createPrediction } from "./predictions.ts";

/** Cog's own HTTP API, one per model, under `/models/{owner}/{name}`. */
export function createCogSurface(services: Services): Surface {
  return {
    name: "cog",
    owns: (segments) => segments[0] === "models" && segments.length >= 3,
    async handle(call) {
      const [, owner = "", name = "", resource, ...rest] = call.segments;
      const found = findModel(services.catalog, `${owner}/${name}`);
      if (resource === "predictions") await handlePredictions(call, services, { found, rest });
      else if (rest.length > 0) throw noSuchPath(call);
      else handleDescription(call, services, { found, resource });
    },
    renderError,
  };
}

async function handlePredictions(
  call: Call,
  services: Services,
  { found, rest }: { readonly found: FoundModel; readonly rest: readonly string[] },
): Promise<void> {
  const [id, action, ...more] = rest;
  if (more.length > 0 || (action !== undefined && action !== "cancel")) throw noSuchPath(call);
  if (id === undefined) {
    allowMethods(call, "POST");
    await createPrediction(call, services, { found });
  } else if (action === undefined) {
    allowMethods(call, "PUT");
    await createPrediction(call, services, { found, id });
  } else {
    allowMethods(call, "POST");
    cancelPrediction(call, services, { found, id });
  }
}

function handleDescription(
  call: Call,
  services: Services,
  options: { readonly found: FoundModel; readonly resource: string | undefined },
): void {
  allowMethods(call, "GET");
  const { entry } = options.found;
  const base = `${call.baseUrl}/models/${entry.id}`;
  if (options.resource === undefined) {
    sendJson(call.response, {
      body: {
        openapi_url: `${base}/openapi.json`,
        healthcheck_url: `${base}/health-check`,
        predictions_url: `${base}/predictions`,
        predictions_idempotent_url: `${base}/predictions/{prediction_id}`,
        predictions_cancel_url: `${base}/predictions/{prediction_id}/cancel`,
      },
    });
  } else if (options.resource === "openapi.json") {
    sendJson(call.response, { body: openApiDocument(entry) });
  } else if (options.resource === "health-check") {
    const state = services.upstream.state?.(entry.id) ?? "idle";
    sendJson(call.response, {
      body: {
        status: healthOf(state),
        state,
        version: { model: entry.version, digest: entry.digest },
      },
    });
  } else {
    throw noSuchPath(call);
  }
}

/** In Cog's words. A model without an instance is ready: the next call wakes one, and asking here must not. */
function healthOf(state: ModelState): string {
  switch (state) {
    case "starting":
      return "STARTING";
    case "busy":
      return "BUSY";
    case "failed":
      return "SETUP_FAILED";
    default:
      return "READY";
  }
}

/** coglet's error bodies: `{detail:[…]}` for a refused input, `{error,status}` for the rest. */
function renderError(error: GatewayError): RenderedError {
  if (error.code === "invalid_input" || error.code === "unsupported_parameter") {
    const problems =
      error.problems.length > 0
        ? error.problems.map(({ input, message }) => ({ loc: input.split("."), message }))
        : [{ loc: [error.parameter ?? "input"], message: error.message }];
    const prefix = error.code === "invalid_input" ? ["body", "input"] : ["body"];
    return {
      status: 422,
      body: {
        detail: problems.map(({ loc, message }) => ({
          loc: [...prefix, ...loc],
          msg: message,
          type: "value_error",
        })),
      },
    };
  }
  const message = error.hint === undefined ? error.message : `${error.message} ${error.hint}`;
  return { status: error.status, body: { error: message, code: error.code, status: "failed" } };
}
