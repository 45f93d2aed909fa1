import { askCache, type CacheAsk } from "../cache/ask.ts";
import { collectRaw } from "../cache/raw.ts";
import type { GatewayError } from "../errors.ts";
import { parseJsonObject } from "../http/body.ts";
import type { Call, Services } from "../http/call.ts";
import { sendJson, startHeaders, type Headers } from "../http/respond.ts";
import { scanFields, type Fields } from "../http/scan-json.ts";
import { noteJourney } from "../http/call-journeys.ts";
import { callFacts, findCallable } from "../prediction/start.ts";
import type { Run } from "../prediction/run.ts";
import { waitForCaller } from "../prediction/wait.ts";
import type { FoundModel } from "../catalog/find.ts";
import { legHeaders } from "../route/leg-headers.ts";
import { follow } from "../stream/follow.ts";
import type { WireFormat } from "../upstream/provider/adapter.ts";
import { chooseTarget, type Target } from "../upstream/provider/target.ts";
import type { WireRequest } from "../upstream/provider/wire-request.ts";

const scanned: ReadonlySet<string> = new Set(["model", "stream", "stream_options"]);

/** Headers of a request that belong to its shape, so that the provider must see them. */
const shapeHeaders = ["anthropic-version", "anthropic-beta", "openai-beta"] as const;

/**
 * Answers a request whose model is served by a provider of the same shape: the bytes of the body and of the answer go
 * through untouched but for the model's name. False, with nothing done, for every other model and for a body that
 * needs a parser to be understood.
 * @throws `GatewayError`, before the head of the answer; afterwards the failure is in the stream
 */
export async function passThrough(
  call: Call,
  services: Services,
  options: {
    readonly format: WireFormat;
    readonly body: Buffer;
    /** A failure in the middle of a stream, as this shape says it, after so many events. */
    readonly renderFailure: (failure: GatewayError, position: number) => string;
    /** A stream begins. */
    readonly onRun?: (run: Run) => void;
  },
): Promise<boolean> {
  const { format, body, renderFailure, onRun } = options;
  const fields = scanFields(body, scanned);
  const modelId = fields === undefined ? undefined : textAt(body, fields, "model");
  if (fields === undefined || modelId === undefined) return false;
  const model = findCallable(call, services, modelId, { body });
  const { entry } = model;
  if (entry.upstreams === undefined) return false;
  const target =
    model.candidates?.[0]?.target ?? chooseTarget(entry, services.providers, call.providerKey);
  if (target.kind !== "provider" || target.provider.adapter.wirePaths?.[format] === undefined) {
    return false;
  }
  const wire = wireRequest({ call, format, body, fields, model: target.model });
  const cache = askCache(call, { model, content: { wire }, policy: model.policy?.cache });
  if (wire.isStreamed) {
    await answerStream(call, services, { model, wire, cache, renderFailure, onRun });
  } else if (cache !== undefined) await answerShared(call, services, { model, wire, cache });
  else await answerWhole(call, services, { model, wire, target });
  return true;
}

async function answerStream(
  call: Call,
  services: Services,
  options: {
    readonly model: FoundModel;
    readonly wire: WireRequest;
    readonly cache: CacheAsk | undefined;
    readonly renderFailure: (failure: GatewayError, position: number) => string;
    readonly onRun: ((run: Run) => void) | undefined;
  },
): Promise<void> {
  const { model, wire, cache, renderFailure, onRun } = options;
  const run = services.runner.start({
    ...callFacts(call, services, model),
    ...(cache !== undefined && { cache }),
    entry: model.entry,
    input: {},
    wire,
    isDetached: false,
    isRecorded: false,
  });
  noteJourney(call.response, run.journey);
  onRun?.(run);
  await follow({
    run,
    response: call.response,
    // What was passed on can be read again byte for byte.
    renderer: () => ({
      render: (event) => {
        if (event.kind === "raw") return event.data;
        const failure = run.outcome?.failure;
        return failure === undefined ? undefined : renderFailure(failure, event.index);
      },
    }),
    deadlines: services.deadlines,
    commitOn: "output",
    signal: call.signal,
  });
}

/** A whole answer that may be stored, or be another call's: a run, whose one event is the body. */
async function answerShared(
  call: Call,
  services: Services,
  options: {
    readonly model: FoundModel;
    readonly wire: WireRequest;
    readonly cache: CacheAsk;
  },
): Promise<void> {
  const { model, wire, cache } = options;
  const run = services.runner.start({
    ...callFacts(call, services, model),
    entry: model.entry,
    input: {},
    wire,
    cache,
    isWhole: true,
    isDetached: false,
    isRecorded: false,
  });
  noteJourney(call.response, run.journey);
  const outcome = await waitForCaller(run, call.signal);
  if (outcome.failure !== undefined) throw outcome.failure;
  const body = await collectRaw(run.log, call.signal);
  sendJson(call.response, { body, headers: startHeaders(run) });
}

async function answerWhole(
  call: Call,
  services: Services,
  options: {
    readonly model: FoundModel;
    readonly wire: WireRequest;
    readonly target: Target & { readonly kind: "provider" };
  },
): Promise<void> {
  const { response } = call;
  const { model, wire, target } = options;
  let stop = (): void => {};
  const onClose = (): void => stop();
  response.once("close", onClose);
  const { journey, body } = await services.relays.send({
    request: { ...callFacts(call, services, model), entry: model.entry },
    wire,
    candidate: { entry: model.entry, target },
    onJourney: (begun) => noteJourney(response, begun),
    onStoppable: (stopIt) => {
      stop = stopIt;
    },
  });
  response.off("close", onClose);
  const { id } = journey.facts;
  sendJson(response, {
    body: body ?? Buffer.alloc(0),
    headers: { "x-byom-prediction": id, "cf-aig-log-id": id, ...legHeaders(journey) },
  });
}

function wireRequest(options: {
  readonly call: Call;
  readonly format: WireFormat;
  readonly body: Buffer;
  readonly fields: Fields;
  readonly model: string;
}): WireRequest {
  const { call, format, body, fields, model } = options;
  const stream = fields.get("stream");
  const isStreamed =
    stream !== undefined && body.toString("latin1", stream.start, stream.end) === "true";
  const named = renameModel(body, fields, model);
  const countsOnRequest = format === "chat-completions" || format === "completions";
  const hidesUsage = isStreamed && countsOnRequest && !asksForUsage(body, fields);
  return {
    format,
    body: hidesUsage ? withUsage(named, fields) : named,
    isStreamed,
    hidesUsage,
    headers: headersOfShape(call),
  };
}

function renameModel(body: Buffer, fields: Fields, model: string): Buffer {
  const span = fields.get("model");
  const name = Buffer.from(JSON.stringify(model));
  if (span === undefined || body.subarray(span.start, span.end).equals(name)) return body;
  return Buffer.concat([body.subarray(0, span.start), name, body.subarray(span.end)]);
}

function asksForUsage(body: Buffer, fields: Fields): boolean {
  const span = fields.get("stream_options");
  if (span === undefined) return false;
  return /"include_usage"\s*:\s*true/.test(body.toString("latin1", span.start, span.end));
}

const usageOption = Buffer.from('"stream_options":{"include_usage":true},');

/** Asks for the usage at the end of the stream: without it a provider does not say what the call cost. */
function withUsage(body: Buffer, fields: Fields): Buffer {
  if (fields.has("stream_options")) {
    const request = parseJsonObject(body);
    const given = request["stream_options"];
    const others = typeof given === "object" && given !== null ? given : {};
    return Buffer.from(
      JSON.stringify({ ...request, stream_options: { ...others, include_usage: true } }),
    );
  }
  const at = body.indexOf(0x7b) + 1;
  return Buffer.concat([body.subarray(0, at), usageOption, body.subarray(at)]);
}

function headersOfShape(call: Call): Headers {
  const headers: Record<string, string> = {};
  for (const name of shapeHeaders) {
    const value = call.request.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  return headers;
}

/** A field's text; undefined for anything else, such as a string that only a parser can refuse with its reason. */
function textAt(body: Buffer, fields: Fields, name: string): string | undefined {
  const span = fields.get(name);
  if (span === undefined || body[span.start] !== 0x22) return undefined;
  try {
    const value: unknown = JSON.parse(body.toString("utf8", span.start, span.end));
    return typeof value === "string" && value !== "" ? value : undefined;
  } catch {
    return undefined;
  }
}
