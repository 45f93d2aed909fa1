import type { GatewayError } from "../../errors.ts";
import {
  allowMethods,
  noSuchPath,
  type Call,
  type RenderedError,
  type Services,
  type Surface,
} from "../../http/call.ts";
import {
  getAccount,
  getWebhookSecret,
  handleCollections,
  handleTrainings,
  listHardware,
} from "./account.ts";
import { handleDeployments } from "./deployments.ts";
import { handleFiles, isSignedFileCall } from "./files.ts";
import { handleModel, handleModelList } from "./model-routes.ts";
import {
  cancelPrediction,
  createByDeployment,
  createByVersion,
  getPrediction,
  listPredictions,
  putPrediction,
} from "./predictions.ts";
import { streamPrediction } from "./stream.ts";

const resources: ReadonlySet<string> = new Set([
  "predictions",
  "deployments",
  "account",
  "hardware",
  "collections",
  "trainings",
  "webhooks",
  "files",
]);

/**
 * Replicate's API under `/v1`. `GET /v1/models` and `GET /v1/models/{id}` with the id as one segment are OpenAI's
 * paths too and are answered there, in both shapes.
 */
export function createReplicateSurface(services: Services): Surface {
  return {
    name: "replicate",
    owns([root, resource = "", ...rest], method = "GET") {
      if (root !== "v1") return false;
      if (resource !== "models") return resources.has(resource);
      return rest.length >= 2 || (rest.length === 0 && (method === "QUERY" || method === "POST"));
    },
    isOpen: (call) => isSignedStreamCall(call, services) || isSignedFileCall(call, services),
    async handle(call) {
      const [, resource, ...rest] = call.segments;
      if (resource === "predictions") await handlePredictions(call, services, rest);
      else if (resource === "models") await handleModels(call, services, rest);
      else if (resource === "deployments") await handleDeploymentPaths(call, services, rest);
      else if (resource === "files") await handleFiles(call, services);
      else handleRest(call, services);
    },
    renderError,
  };
}

function isSignedStreamCall(call: Call, services: Services): boolean {
  const [, resource, id = "", action] = call.segments;
  const token = call.query.get("token");
  return (
    resource === "predictions" &&
    action === "stream" &&
    token !== null &&
    services.streamTokens.verify(id, token)
  );
}

async function handlePredictions(
  call: Call,
  services: Services,
  [id, action, ...rest]: readonly string[],
): Promise<void> {
  if (rest.length > 0) throw noSuchPath(call);
  if (id === undefined) {
    if (call.method === "POST") await createByVersion(call, services);
    else listPredictions(call, services);
  } else if (action === undefined) {
    if (call.method === "PUT") await putPrediction(call, services, id);
    else getPrediction(call, services, id);
  } else if (action === "cancel") {
    await cancelPrediction(call, services, id);
  } else if (action === "stream") {
    allowMethods(call, "GET");
    await streamPrediction(call, services, id);
  } else {
    throw noSuchPath(call);
  }
}

async function handleModels(
  call: Call,
  services: Services,
  path: readonly string[],
): Promise<void> {
  if (path.length === 0) await handleModelList(call, services);
  else await handleModel(call, services, path);
}

async function handleDeploymentPaths(
  call: Call,
  services: Services,
  path: readonly string[],
): Promise<void> {
  if (path.length > 2 && path.at(-1) === "predictions") {
    allowMethods(call, "POST");
    await createByDeployment(call, services, path.slice(0, -1).join("/"));
  } else {
    await handleDeployments(call, services, path.length === 0 ? undefined : path.join("/"));
  }
}

function handleRest(call: Call, services: Services): void {
  const [, resource, id, ...rest] = call.segments;
  if (resource === "webhooks") getWebhookSecret(call, services);
  else if (resource === "collections" && rest.length === 0) handleCollections(call, id);
  else if (resource === "trainings" && rest.length === 0) handleTrainings(call, id);
  else if (id !== undefined) throw noSuchPath(call);
  else if (resource === "account") getAccount(call);
  else if (resource === "hardware") listHardware(call, services);
  else throw noSuchPath(call);
}

const titles: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "Unauthenticated",
  402: "Insufficient credit",
  403: "Forbidden",
  404: "Not found",
  405: "Method not allowed",
  409: "Conflict",
  413: "Content too large",
  422: "Input validation failed",
  429: "Too many requests",
  500: "Internal server error",
  503: "Service unavailable",
};

/** Replicate's problem shape; a refused input is 422 there and lists its fields. */
function renderError(error: GatewayError): RenderedError {
  if (error.code === "invalid_input") {
    const details = error.problems.map(({ input, message }) => `- input.${input}: ${message}\n`);
    return {
      status: 422,
      body: {
        title: titles[422],
        detail: details.join("") || error.message,
        status: 422,
        invalid_fields: error.problems.map(({ input, kind, message }) => ({
          type: kind,
          field: `input.${input}`,
          description: `${input} ${message}`,
        })),
      },
    };
  }
  const isRefused = error.code === "unsupported_parameter";
  // Replicate's answer to an account without credit; what calls in flight hold is free again soon.
  const isUsedUp = error.code === "budget_exceeded" && !error.isRetryable;
  const status = isRefused ? 422 : isUsedUp ? 402 : error.status;
  const detail = error.hint === undefined ? error.message : `${error.message} ${error.hint}`;
  const title = isRefused ? "Unprocessable request" : (titles[status] ?? "Error");
  return { status, body: { title, detail, status } };
}
