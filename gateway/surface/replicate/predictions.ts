import { GatewayError } from "../../errors.ts";
import { findModel, findVersion, type FoundModel } from "../../catalog/find.ts";
import { isObject, readJsonObject } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import { checkInput } from "../../prediction/input.ts";
import type { PredictionRecord } from "../../prediction/store.ts";
import { holdFor } from "../../prediction/wait.ts";
import { predictionBody } from "./prediction.ts";
import { holdMs } from "./prefer.ts";

/** Predictions on one page of `GET /v1/predictions`. */
const pageSize = 100;

/** `POST /v1/predictions {version, input}`. */
export async function createByVersion(call: Call, services: Services): Promise<void> {
  const body = await readJsonObject(call.request);
  const reference = body["version"] ?? body["model"];
  if (typeof reference !== "string" || reference === "") {
    throw new GatewayError("invalid_request", "version is required.", { parameter: "version" });
  }
  await create(call, services, { found: findVersion(services.catalog, reference), body });
}

/** `POST /v1/models/{owner}/{name}/predictions {input}`. */
export async function createByModel(
  call: Call,
  services: Services,
  modelId: string,
): Promise<void> {
  const body = await readJsonObject(call.request);
  await create(call, services, { found: findModel(services.catalog, modelId), body });
}

/** `GET /v1/predictions`. */
export function listPredictions(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const records = services.predictions.list({ limit: pageSize });
  const results = records.map((record) => body(call, services, current(services, record)));
  sendJson(call.response, { body: { previous: null, next: null, results } });
}

/** `GET /v1/predictions/{id}`. */
export function getPrediction(call: Call, services: Services, id: string): void {
  allowMethods(call, "GET");
  const run = services.runner.find(id);
  sendJson(call.response, {
    body: body(call, services, find(services, id)),
    ...(run === undefined ? {} : { headers: startHeaders(run) }),
  });
}

/** `POST /v1/predictions/{id}/cancel`. */
export async function cancelPrediction(call: Call, services: Services, id: string): Promise<void> {
  allowMethods(call, "POST");
  find(services, id);
  const run = services.runner.find(id);
  if (run?.cancel() === true) {
    // A model that ends at once is answered with its final state.
    await holdFor(run, { holdMs: cancelHoldMs, signal: call.signal });
  }
  sendJson(call.response, { body: body(call, services, find(services, id)) });
}

/** How long a cancel waits for the model's own word. */
const cancelHoldMs = 1_000;

async function create(
  call: Call,
  services: Services,
  options: { readonly found: FoundModel; readonly body: Readonly<Record<string, unknown>> },
): Promise<void> {
  const { entry, version } = options.found;
  const input = options.body["input"] ?? {};
  if (!isObject(input)) {
    throw new GatewayError("invalid_request", "input must be an object.", { parameter: "input" });
  }
  if (options.body["webhook"] !== undefined && options.body["webhook"] !== null) {
    throw new GatewayError("unsupported_parameter", "Webhooks are not supported.", {
      parameter: "webhook",
      hint: "Poll urls.get or read urls.stream instead.",
    });
  }
  checkInput(entry, input);
  const run = services.runner.start({
    entry,
    input,
    isDetached: true,
    isRecorded: true,
    ...(version === undefined ? {} : { version }),
    ...(call.key === undefined ? {} : { keyId: call.key.id }),
  });
  const waitMs = holdMs(call.request.headers.prefer);
  const outcome =
    waitMs === 0 ? undefined : await holdFor(run, { holdMs: waitMs, signal: call.signal });
  if (call.signal.aborted) return;
  const record = run.record();
  // A client that waits takes any status but `starting` for the end.
  const shown: PredictionRecord =
    outcome === undefined && run.outcome === undefined ? { ...record, status: "starting" } : record;
  sendJson(call.response, {
    status: 201,
    body: body(call, services, shown),
    headers: startHeaders(run),
  });
}

function find(services: Services, id: string): PredictionRecord {
  const record = services.runner.record(id);
  if (record === undefined) throw new GatewayError("not_found", `There is no prediction ${id}.`);
  return record;
}

/** A stored record as it stands now: output and logs so far are in memory only. */
function current(services: Services, record: PredictionRecord): PredictionRecord {
  return services.runner.record(record.id) ?? record;
}

function body(call: Call, services: Services, record: PredictionRecord): Record<string, unknown> {
  return predictionBody({
    record,
    baseUrl: call.baseUrl,
    streamTokens: services.streamTokens,
    catalog: services.catalog,
  });
}
