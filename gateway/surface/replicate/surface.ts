import type { GatewayError } from "../../errors.ts";
import { findModel, versionId, versionsOf } from "../../catalog/find.ts";
import {
  allowMethods,
  noSuchPath,
  type Call,
  type RenderedError,
  type Services,
  type Surface,
} from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import { handleFiles } from "./files.ts";
import { replicateModel, replicateVersion } from "./models.ts";
import {
  cancelPrediction,
  createByModel,
  createByVersion,
  getPrediction,
  listPredictions,
} from "./predictions.ts";
import { streamPrediction } from "./stream.ts";

/** Replicate's API under `/v1`: predictions, models, versions, files. */
export function createReplicateSurface(services: Services): Surface {
  return {
    name: "replicate",
    owns: ([root, resource, ...rest]) =>
      root === "v1" &&
      (resource === "predictions" ||
        resource === "files" ||
        (resource === "models" && rest.length >= 2)),
    isOpen: (call) => {
      const [, resource, id = "", action] = call.segments;
      const token = call.query.get("token");
      return (
        resource === "predictions" &&
        action === "stream" &&
        token !== null &&
        services.streamTokens.verify(id, token)
      );
    },
    async handle(call) {
      const [, resource, ...rest] = call.segments;
      if (resource === "predictions") await handlePredictions(call, services, rest);
      else if (resource === "files") await handleFiles(call, services);
      else await handleModel(call, services, rest);
    },
    renderError,
  };
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
    getPrediction(call, services, id);
  } else if (action === "cancel") {
    await cancelPrediction(call, services, id);
  } else if (action === "stream") {
    allowMethods(call, "GET");
    await streamPrediction(call, services, id);
  } else {
    throw noSuchPath(call);
  }
}

async function handleModel(
  call: Call,
  services: Services,
  [owner = "", name = "", action, id, ...rest]: readonly string[],
): Promise<void> {
  const modelId = `${owner}/${name}`;
  if (action === "predictions" && id === undefined) {
    allowMethods(call, "POST");
    await createByModel(call, services, modelId);
    return;
  }
  allowMethods(call, "GET");
  const { entry } = findModel(services.catalog, modelId);
  if (action === undefined) {
    sendJson(call.response, { body: replicateModel(entry, call.baseUrl) });
  } else if (action === "versions" && rest.length === 0) {
    const versions = versionsOf(services.catalog, entry);
    if (id === undefined) {
      const results = versions.map(replicateVersion);
      sendJson(call.response, { body: { previous: null, next: null, results } });
      return;
    }
    const wanted = versions.find((version) => versionId(version) === id);
    if (wanted === undefined) throw noSuchPath(call);
    sendJson(call.response, { body: replicateVersion(wanted) });
  } else {
    throw noSuchPath(call);
  }
}

const titles: Readonly<Record<number, string>> = {
  401: "Unauthenticated",
  403: "Forbidden",
  404: "Not found",
  422: "Input validation failed",
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
  const status = error.code === "unsupported_parameter" ? 422 : error.status;
  const detail = error.hint === undefined ? error.message : `${error.message} ${error.hint}`;
  return { status, body: { title: titles[status] ?? "Error", detail, status } };
}
