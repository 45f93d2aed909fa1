import { readJsonObject } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import { modelReference } from "./aliases.ts";
import { pollBatch, queueBatch } from "./batch.ts";
import { success } from "./errors.ts";
import { readRunOptions } from "./options.ts";
import { fileInputs, isFileBody, readModelAndInput } from "./requests.ts";
import { runModel, type RunCall } from "./run.ts";

/** `POST …/run` with `{model, input, options?}`; also a batch of requests, or the id of one. */
export async function runFromBody(
  call: Call,
  services: Services,
  envelope: RunCall["envelope"],
): Promise<void> {
  allowMethods(call, "POST");
  const { model: named, body, input } = await readModelAndInput(call);
  const options = readRunOptions(call, body["options"]);
  const model = modelReference(services.catalog, named);
  const requestId = body["request_id"] ?? input["request_id"];
  const requests = body["requests"] ?? input["requests"] ?? [input];
  if (typeof requestId === "string") send(call, pollBatch(call, services, requestId));
  else if (options.queueRequest)
    send(call, queueBatch(call, services, { model, requests, options }));
  else await runModel(call, services, { model, inputs: input, options, envelope });
}

/** `POST …/run/{model}` with the inputs as the body: JSON, a form, or one file. */
export async function runFromPath(call: Call, services: Services, named: string): Promise<void> {
  allowMethods(call, "POST");
  const model = modelReference(services.catalog, named);
  const isFile = isFileBody(call);
  const body = isFile
    ? await fileInputs(call, services, { model })
    : await readJsonObject(call.request);
  const { options: given, request_id: requestId, ...inputs } = body;
  const options = readRunOptions(call, isFile ? {} : given);
  const { requests = [inputs] } = inputs;
  if (typeof requestId === "string") send(call, pollBatch(call, services, requestId));
  else if (options.queueRequest)
    send(call, queueBatch(call, services, { model, requests, options }));
  else await runModel(call, services, { model, inputs, options, envelope: "classic" });
}

function send(call: Call, result: unknown): void {
  sendJson(call.response, { body: success(result) });
}
