import { versionId, versionsOf } from "../../catalog/find.ts";
import { GatewayError } from "../../errors.ts";
import { readBody } from "../../http/body.ts";
import { allowMethods, noSuchPath, type Call, type Services } from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import { mayCall } from "../../keys/authorize.ts";
import { findCallable } from "../../prediction/start.ts";
import { noTraining } from "./account.ts";
import { replicateModel, replicateVersion, searchModels } from "./models.ts";
import { createByModel } from "./predictions.ts";

/** A search is a few words. */
const queryBytesMax = 4 * 1024;

/** `QUERY /v1/models`, with the query as plain text (Replicate's client sends it as a JSON string). */
export async function handleModelList(call: Call, services: Services): Promise<void> {
  if (call.method !== "QUERY") {
    throw new GatewayError("unsupported_parameter", "A model is made by pushing it.", {
      hint: "Run `byom push owner/name` in the model's repo.",
    });
  }
  const text = (await readBody(call.request, { bytesMax: queryBytesMax })).toString("utf8");
  const visible = services.catalog.list().filter((entry) => mayCall(call.key, entry.id));
  const results = searchModels(visible, plainText(text)).map((entry) =>
    replicateModel(entry, call.baseUrl),
  );
  sendJson(call.response, { body: { previous: null, next: null, results } });
}

/** `/v1/models/{owner}/{name}/…`; an id may have more parts, so the path is read from its end. */
export async function handleModel(
  call: Call,
  services: Services,
  path: readonly string[],
): Promise<void> {
  const last = path.at(-1);
  const before = path.at(-2);
  if (path.length > 2 && last === "predictions") {
    allowMethods(call, "POST");
    await createByModel(call, services, path.slice(0, -1).join("/"));
  } else if (path.length > 2 && last === "versions") {
    listVersions(call, services, path.slice(0, -1).join("/"));
  } else if (path.length > 3 && before === "versions") {
    handleVersion(call, services, { modelId: path.slice(0, -2).join("/"), id: last ?? "" });
  } else if (path.length > 4 && last === "trainings" && path.at(-3) === "versions") {
    throw noTraining();
  } else {
    handleDescription(call, services, path.join("/"));
  }
}

function handleDescription(call: Call, services: Services, modelId: string): void {
  allowMethods(call, "GET", "PATCH", "DELETE");
  const { entry, version } = findCallable(call, services, modelId);
  if (version !== undefined) throw noSuchPath(call);
  if (call.method !== "GET") throw notChanged("model");
  sendJson(call.response, { body: replicateModel(entry, call.baseUrl) });
}

function listVersions(call: Call, services: Services, modelId: string): void {
  allowMethods(call, "GET");
  const { entry } = findCallable(call, services, modelId);
  const results = versionsOf(services.catalog, entry).map(replicateVersion);
  sendJson(call.response, { body: { previous: null, next: null, results } });
}

function handleVersion(
  call: Call,
  services: Services,
  { modelId, id }: { readonly modelId: string; readonly id: string },
): void {
  allowMethods(call, "GET", "DELETE");
  const { entry } = findCallable(call, services, modelId);
  const wanted = versionsOf(services.catalog, entry).find((one) => versionId(one) === id);
  if (wanted === undefined) throw noSuchPath(call);
  if (call.method === "DELETE") throw notChanged("version");
  sendJson(call.response, { body: replicateVersion(wanted) });
}

function notChanged(what: string): GatewayError {
  return new GatewayError("unsupported_parameter", `A ${what} is not changed by this API.`, {
    hint: "Versions are kept for rollbacks; `byom push` makes the next one.",
  });
}

function plainText(body: string): string {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "string" ? value : body;
  } catch {
    return body;
  }
}
