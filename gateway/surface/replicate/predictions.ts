import { GatewayError } from "../../errors.ts";
import { findVersion, type FoundModel } from "../../catalog/find.ts";
import { readJsonObject } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import { assertMayCall, mayCall } from "../../keys/authorize.ts";
import { checkCallerId } from "../../prediction/caller-id.ts";
import { findCallable } from "../../prediction/start.ts";
import type { PredictionRecord } from "../../prediction/store.ts";
import { holdFor } from "../../prediction/wait.ts";
import { create, createOnce, render } from "./create.ts";
import { findDeployment } from "./deployments.ts";
import { listPage } from "./page.ts";

/** How long a cancel waits for the model's own word. */
const cancelHoldMs = 1_000;

/** `POST /v1/predictions {version, input}`; `version` may be a model's name too. */
export async function createByVersion(call: Call, services: Services): Promise<void> {
  const body = await readJsonObject(call.request);
  await create(call, services, { found: findReferenced(call, services, body), body });
}

/** `PUT /v1/predictions/{id} {version, input}`. */
export async function putPrediction(call: Call, services: Services, id: string): Promise<void> {
  const body = await readJsonObject(call.request);
  const found = findReferenced(call, services, body);
  await createOnce(call, services, { found, body, id: checkCallerId(id) });
}

/** `POST /v1/models/{owner}/{name}/predictions {input}`. */
export async function createByModel(
  call: Call,
  services: Services,
  modelId: string,
): Promise<void> {
  const body = await readJsonObject(call.request);
  await create(call, services, { found: findCallable(call, services, modelId, { body }), body });
}

/** `POST /v1/deployments/{owner}/{name}/predictions {input}`. */
export async function createByDeployment(
  call: Call,
  services: Services,
  deployment: string,
): Promise<void> {
  const body = await readJsonObject(call.request);
  const found = { entry: findDeployment(call, services, deployment) };
  await create(call, services, { found, body, deployment: found.entry.id });
}

/** `GET /v1/predictions`: the predictions of models that the key may call, newest first. */
export function listPredictions(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const page = listPage(call, services.predictions, (record) => mayCall(call.key, record.model));
  const results = page.records.map((record) =>
    // Output and logs so far are in memory only.
    render(call, services, services.runner.record(record.id) ?? record),
  );
  const { next, previous } = page;
  sendJson(call.response, { body: { previous, next, results } });
}

/** `GET /v1/predictions/{id}`. */
export function getPrediction(call: Call, services: Services, id: string): void {
  allowMethods(call, "GET", "PUT");
  const run = services.runner.find(id);
  sendJson(call.response, {
    body: render(call, services, findPrediction(call, services, id)),
    ...(run === undefined ? {} : { headers: startHeaders(run) }),
  });
}

/** `POST /v1/predictions/{id}/cancel`. */
export async function cancelPrediction(call: Call, services: Services, id: string): Promise<void> {
  allowMethods(call, "POST");
  findPrediction(call, services, id);
  const run = services.runner.find(id);
  if (run?.cancel() === true) {
    // A model that ends at once is answered with its final state.
    await holdFor(run, { holdMs: cancelHoldMs, signal: call.signal });
  }
  sendJson(call.response, {
    body: render(call, services, findPrediction(call, services, id)),
  });
}

/** @throws `GatewayError`: `not_found`, or `forbidden` when the key may not call its model */
function findPrediction(call: Call, services: Services, id: string): PredictionRecord {
  const record = services.runner.record(id);
  if (record === undefined) throw new GatewayError("not_found", `There is no prediction ${id}.`);
  assertMayCall(call.key, record.model);
  return record;
}

/** The model that `version` (or `model`) names. */
function findReferenced(
  call: Call,
  services: Services,
  body: Readonly<Record<string, unknown>>,
): FoundModel {
  const reference = body["version"] ?? body["model"];
  if (typeof reference !== "string" || reference === "") {
    throw new GatewayError("invalid_request", "version is required.", { parameter: "version" });
  }
  if (reference.includes("/")) return findCallable(call, services, reference);
  const found = findVersion(services.catalog, reference);
  assertMayCall(call.key, found.entry.id);
  return found;
}
