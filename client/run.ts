import { encodeInputs } from "./bytes.ts";
import { readError } from "./errors.ts";
import { resumable } from "./resume.ts";
import { jsonRequest, type Transport } from "./transport.ts";
import type { AiInputs, RunOptions } from "./types.ts";

/** What is known of the last call, as on `env.AI`. */
export interface LastCall {
  lastRequestId: string | null;
  aiGatewayLogId: string | null;
  lastRequestHttpStatusCode: number | null;
  lastRequestInternalStatusCode: number | null;
}

export interface RunFacts {
  readonly transport: Transport;
  readonly last: LastCall;
  readonly reconnectsMax: number;
  readonly gatewayId: string;
  readonly model: string;
  readonly inputs: AiInputs;
  readonly options: RunOptions;
}

/** One call of a model, over the routes of the Workers binding. @throws `InferenceUpstreamError` */
export async function runModel(facts: RunFacts): Promise<unknown> {
  const { transport, last, options } = facts;
  last.lastRequestId = "";
  const response = await transport.send(...(await requestOf(facts)));
  last.lastRequestId = response.headers.get("cf-ai-req-id");
  last.aiGatewayLogId = response.headers.get("cf-aig-log-id");
  last.lastRequestHttpStatusCode = response.status;
  last.lastRequestInternalStatusCode = null;
  const answer = resumable(response, {
    transport,
    gatewayId: options.gateway?.id ?? facts.gatewayId,
    reconnectsMax: facts.reconnectsMax,
    signal: options.signal,
  });
  if (options.returnRawResponse === true) return answer;
  if (!answer.ok || answer.body === null) {
    const error = await readError(answer);
    last.lastRequestInternalStatusCode = error.code ?? null;
    throw error;
  }
  const isJson = answer.headers.get("content-type")?.split(";", 1)[0] === "application/json";
  return isJson ? ((await answer.json()) as unknown) : answer.body;
}

async function requestOf(facts: RunFacts): Promise<[path: string, init: RequestInit]> {
  const { model, inputs, options } = facts;
  const { prefix, extraHeaders, signal, returnRawResponse: _raw, ...sent } = options;
  const headers = {
    ...extraHeaders,
    "cf-consn-sdk-version": "2.0.0",
    "cf-consn-model-id": prefix === undefined ? model : `${prefix}:${model}`,
  };
  const streams = Object.entries(inputs).filter(([, value]) => isFileStream(value));
  const [stream] = streams;
  if (stream === undefined) {
    const body = { inputs: await encodeInputs(inputs), options: sent };
    const request = jsonRequest("POST", body, signal);
    const path = sent.gateway?.id === undefined ? "/run" : "/ai-gateway/run";
    return [
      `${path}?version=3`,
      { ...request, headers: { "content-type": "application/json", ...headers } },
    ];
  }
  if (streams.length > 1) {
    const names = streams.map(([name]) => name).join(", ");
    throw new TypeError(`Only one input can be a stream, found ${names}.`);
  }
  const [name, value] = stream;
  const { body, contentType } = value as FileStream;
  if (contentType === undefined || contentType === "") {
    throw new TypeError(`The stream ${name} needs a contentType.`);
  }
  const { [name]: _stream, ...others } = inputs;
  const userInputs = JSON.stringify(await encodeInputs(others));
  const query = new URLSearchParams({ version: "3", userInputs });
  if (sent.tags !== undefined) query.set("tags", sent.tags.join(","));
  const init: RequestInit & { readonly duplex: "half" } = {
    method: "POST",
    body,
    duplex: "half",
    headers: { ...headers, "content-type": contentType },
    ...(signal !== undefined && { signal }),
  };
  return [`/run?${query.toString()}`, init];
}

interface FileStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly contentType?: string;
}

function isFileStream(value: unknown): value is FileStream {
  return (
    typeof value === "object" &&
    value !== null &&
    "body" in value &&
    value.body instanceof ReadableStream
  );
}
