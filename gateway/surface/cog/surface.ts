import { GatewayError } from "../../errors.ts";
import type { FoundModel } from "../../catalog/find.ts";
import {
  allowMethods,
  noSuchPath,
  type Call,
  type RenderedError,
  type Services,
  type Surface,
} from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import { findCallable } from "../../prediction/start.ts";
import type { ModelState } from "../../upstream/upstream.ts";
import { openApiDocument } from "../replicate/models.ts";
import { cancelPrediction, createPrediction } from "./predictions.ts";

/** Cog's own HTTP API, one per model, under `/models/{owner}/{name}`. */
export function createCogSurface(services: Services): Surface {
  return {
    name: "cog",
    owns: (segments) => segments[0] === "models" && segments.length >= 3,
    async handle(call) {
      const { modelId, resource, rest } = readPath(call.segments.slice(1), services);
      const found = findCallable(call, services, modelId);
      if (resource === "predictions") await handlePredictions(call, services, { found, rest });
      else handleDescription(call, services, { found, resource });
    },
    renderError,
  };
}

const resources: ReadonlySet<string> = new Set([
  "predictions",
  "trainings",
  "openapi.json",
  "health-check",
  "shutdown",
]);

/** The model's id, which may have more than two parts, and what is asked of it: the path is read from its end. */
function readPath(
  path: readonly string[],
  services: Services,
): {
  readonly modelId: string;
  readonly resource: string | undefined;
  readonly rest: readonly string[];
} {
  const at = (index: number): string => path.at(index) ?? "";
  const cut = (count: number, resource: string): ReturnType<typeof readPath> => ({
    modelId: path.slice(0, path.length - count).join("/"),
    resource,
    rest: path.slice(path.length - count + 1),
  });
  if (path.length > 3 && at(-3) === "predictions") return cut(3, "predictions");
  if (path.length > 2 && at(-2) === "predictions") return cut(2, "predictions");
  const isWholeId = services.catalog.get(path.join("/")) !== undefined;
  if (path.length > 1 && !isWholeId && resources.has(at(-1))) return cut(1, at(-1));
  return { modelId: path.join("/"), resource: undefined, rest: [] };
}

async function handlePredictions(
  call: Call,
  services: Services,
  { found, rest }: { readonly found: FoundModel; readonly rest: readonly string[] },
): Promise<void> {
  const [id, action] = rest;
  if (action !== undefined && action !== "cancel") throw noSuchPath(call);
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
  allowMethods(call, ...(options.resource === "shutdown" ? ["POST"] : ["GET"]));
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
  } else if (options.resource === "shutdown") {
    throw new GatewayError("forbidden", "Instances are the platform's to stop.", {
      hint: "Use `byom scale` or `byom down`.",
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
