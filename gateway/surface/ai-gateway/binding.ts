import { GatewayError } from "../../errors.ts";
import { isObject, readJsonObject } from "../../http/body.ts";
import { allowMethods, type Call, type Services, type Surface } from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import { delegate, withRequest } from "../delegate.ts";
import { modelReference } from "../workers-ai/aliases.ts";
import { pollBatch, queueBatch } from "../workers-ai/batch.ts";
import { success } from "../workers-ai/errors.ts";
import { readRunOptions, type RunOptions } from "../workers-ai/options.ts";
import { fileInputs, isFileBody } from "../workers-ai/requests.ts";
import { runModel } from "../workers-ai/run.ts";
import { isAnthropicCall } from "./anthropic-call.ts";

/**
 * `POST /run?version=3` and `/ai-gateway/run?version=3`: what `env.AI.run(model, inputs, options)` sends. The model is
 * in a header, with a prefix before a colon; the answer is the bare result.
 * Source: cloudflare/workerd `src/cloudflare/internal/ai-api.ts`, as in workerd 1.20261117.1.
 */
export async function runFromBinding(
  call: Call,
  services: Services,
  surfaces: readonly Surface[],
): Promise<void> {
  if (call.request.headers.upgrade !== undefined) {
    throw new GatewayError("not_acceptable", "Models are not served over WebSockets here.", {
      hint: "Leave `websocket: true` out; `stream: true` gives the pieces as they come.",
    });
  }
  allowMethods(call, "POST");
  const model = modelOf(call, services);
  if (isFileBody(call)) {
    await runWithFile(call, services, model);
    return;
  }
  const { inputs = {}, options: given = {} } = await readJsonObject(call.request);
  if (!isObject(inputs)) {
    throw new GatewayError("invalid_request", "inputs must be an object.", { parameter: "inputs" });
  }
  const options = readRunOptions(call, given);
  if (isAnthropicCall(model, inputs)) {
    const body = Buffer.from(JSON.stringify({ ...inputs, model }));
    const headers = { ...call.request.headers, ...optionHeaders(options) };
    await delegate(withRequest(call, { headers, body }), surfaces, ["v1", "messages"]);
    return;
  }
  const { request_id: requestId, requests = [inputs] } = inputs;
  if (typeof requestId === "string") {
    sendJson(call.response, { body: pollBatch(call, services, requestId) });
  } else if (options.queueRequest) {
    sendJson(call.response, { body: queueBatch(call, services, { model, requests, options }) });
  } else {
    await runModel(call, services, { model, inputs, options, envelope: "bare" });
  }
}

/** What the options say about a call, as headers for the surface that it goes to. */
function optionHeaders({ metadata, cacheWish, overrides }: RunOptions): Record<string, string> {
  const { attempts, retryDelayMs, backoff, deadlines } = overrides ?? {};
  const timeoutMs = deadlines?.firstOutputMs;
  return {
    ...(Object.keys(metadata).length > 0 && { "cf-aig-metadata": JSON.stringify(metadata) }),
    ...(cacheWish.ttlS !== undefined && { "cf-aig-cache-ttl": String(cacheWish.ttlS) }),
    ...(cacheWish.key !== undefined && { "cf-aig-cache-key": cacheWish.key }),
    ...(cacheWish.isSkipped !== undefined && { "cf-aig-skip-cache": String(cacheWish.isSkipped) }),
    ...(attempts !== undefined && { "cf-aig-max-attempts": String(attempts) }),
    ...(retryDelayMs !== undefined && { "cf-aig-retry-delay": String(retryDelayMs) }),
    ...(backoff !== undefined && { "cf-aig-backoff": backoff }),
    ...(timeoutMs !== undefined && { "cf-aig-request-timeout": String(timeoutMs) }),
  };
}

/** A stream or form among the inputs comes as the body, the other inputs and the options in the query. */
async function runWithFile(call: Call, services: Services, model: string): Promise<void> {
  const text = call.query.get("userInputs") ?? "{}";
  let others: unknown;
  try {
    others = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError("invalid_request", "userInputs is not valid JSON.", { cause });
  }
  if (!isObject(others)) {
    throw new GatewayError("invalid_request", "userInputs must be a JSON object.");
  }
  const inputs = await fileInputs(call, services, { model, others });
  const tags = call.query.get("tags");
  const options = readRunOptions(call, tags === null ? {} : { tags });
  await runModel(call, services, { model, inputs, options, envelope: "bare" });
}

/** `cf-consn-model-id: [prefix:]model`; a prefix never has a slash, a model before its version always. */
function modelOf(call: Call, services: Services): string {
  const header = call.request.headers["cf-consn-model-id"];
  if (typeof header !== "string" || header === "") {
    throw new GatewayError("invalid_request", "The header cf-consn-model-id is missing.");
  }
  const prefix = /^[^/:]+:(?=.)/.exec(header)?.[0] ?? "";
  return modelReference(services.catalog, header.slice(prefix.length));
}

/** `GET /ai-gateway/gateways/{id}/url/{provider}`: where that gateway takes calls of that provider's own shape. */
export function gatewayUrl(call: Call, gatewayId: string, provider: string): void {
  allowMethods(call, "GET");
  const base = `${reachableUrl(call)}/gateway/v1/local/${encodeURIComponent(gatewayId)}`;
  const url = provider === "universal" ? base : `${base}/${encodeURIComponent(provider)}`;
  sendJson(call.response, { body: success({ url }) });
}

/** The binding names a host that does not exist; then the address it was reached at counts. */
function reachableUrl(call: Call): string {
  if (!call.baseUrl.endsWith("//workers-binding.ai")) return call.baseUrl;
  const { localAddress = "127.0.0.1", localPort = 80 } = call.request.socket;
  const host = localAddress.replace(/^::ffff:/, "");
  return `http://${host.includes(":") ? `[${host}]` : host}:${localPort}`;
}
