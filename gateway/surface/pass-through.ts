import { askCache, type CacheAsk } from "../cache/ask.ts";
import { collectRaw } from "../cache/raw.ts";
import type { CatalogEntry } from "../catalog/entry.ts";
import type { GatewayError } from "../errors.ts";
import { parseJsonObject } from "../http/body.ts";
import type { Call, Services } from "../http/call.ts";
import { sendJson, startHeaders, type Headers } from "../http/respond.ts";
import { scanFields, type Fields } from "../http/scan-json.ts";
import { noteJourney } from "../http/call-journeys.ts";
import { checkInput } from "../prediction/input.ts";
import type { Outcome, Run } from "../prediction/run.ts";
import { callFacts, findCallable, type Input } from "../prediction/start.ts";
import { waitForCaller } from "../prediction/wait.ts";
import type { FoundModel } from "../catalog/find.ts";
import type { Candidate } from "../route/candidate.ts";
import { candidatesOf } from "../route/candidates.ts";
import { legHeaders } from "../route/leg-headers.ts";
import { follow } from "../stream/follow.ts";
import type { StreamShape } from "../stream/shape.ts";
import type { WireFormat } from "../upstream/provider/adapter.ts";
import type { Target } from "../upstream/provider/target.ts";
import type { WireRequest } from "../upstream/provider/wire-request.ts";
import { rawShapeName, wireFrames, type RawStream, type RenderOther } from "./wire-frames.ts";

const scanned: ReadonlySet<string> = new Set(["model", "stream", "stream_options"]);

/** Headers of a request that belong to its shape, so that the provider must see them. */
const shapeHeaders = ["anthropic-version", "anthropic-beta", "openai-beta"] as const;

/** How a surface answers for an upstream that does not speak its shape, behind others that do. */
export interface OwnWords {
  /** @throws `GatewayError` for a model that cannot take the request */
  readonly inputFor: (entry: CatalogEntry) => Input;
  /** How its stream is written, now and again later. */
  readonly stream: (run: Run) => { readonly shape: StreamShape; readonly render: RenderOther };
  readonly whole: (run: Run, outcome: Outcome) => WholeWords | Promise<WholeWords>;
}

interface WholeWords {
  readonly body: unknown;
  readonly headers?: Headers;
}

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
    /** Absent: upstreams of another shape are passed over. */
    readonly ownWords?: (body: Readonly<Record<string, unknown>>) => OwnWords | undefined;
  },
): Promise<boolean> {
  const { format, body } = options;
  const fields = scanFields(body, scanned);
  const modelId = fields === undefined ? undefined : textAt(body, fields, "model");
  if (fields === undefined || modelId === undefined) return false;
  const model = findCallable(call, services, modelId, { body });
  const { entry } = model;
  if (entry.upstreams === undefined && model.candidates === undefined) return false;
  const candidates =
    model.candidates ??
    candidatesOf({ ...model, providerKey: call.providerKey }, services.providers);
  const first = candidates[0]?.target;
  if (first?.kind !== "provider" || !speaks(first, format)) return false;
  const wire = wireRequest({ call, format, body, fields, model: first.model });
  const cache = askCache(call, { model, content: { wire }, policy: model.policy?.cache });
  const pass: Pass = { ...options, model: { ...model, candidates }, wire, cache };
  if (wire.isStreamed) await answerStream(call, services, pass);
  else if (isPlain(pass, candidates, services)) await answerWhole(call, services, pass, candidates);
  else await answerByRun(call, services, pass);
  return true;
}

type PassOptions = Parameters<typeof passThrough>[2];

interface Pass extends Omit<PassOptions, "body"> {
  readonly body: Buffer;
  readonly model: FoundModel;
  readonly wire: WireRequest;
  readonly cache: CacheAsk | undefined;
}

function speaks(target: Target, format: WireFormat): boolean {
  return target.kind === "provider" && target.provider.adapter.wirePaths?.[format] !== undefined;
}

/** One exchange after the other, with nothing beside it: there is no need of a run. */
function isPlain(
  { format, model, cache }: Pass,
  candidates: readonly Candidate[],
  { relays }: Services,
): boolean {
  const isHedged = model.policy?.hedgeMs !== undefined || relays.isHedged;
  if (cache !== undefined || (isHedged && candidates.length > 1)) return false;
  return candidates.every(
    ({ target, policy }) => speaks(target, format) && policy?.hedgeMs === undefined,
  );
}

function beginRun(call: Call, services: Services, pass: Pass): { run: Run; own?: OwnWords } {
  const { model, wire, cache, format, body } = pass;
  const isMixed = model.candidates?.some(({ target }) => !speaks(target, format)) === true;
  const own = isMixed ? pass.ownWords?.(parseJsonObject(body)) : undefined;
  const run = services.runner.start({
    ...callFacts(call, services, model),
    ...(cache !== undefined && { cache }),
    ...(own !== undefined && { inputFor: checkedInput(own) }),
    entry: model.entry,
    input: {},
    wire,
    isWhole: !wire.isStreamed,
    isDetached: false,
    isRecorded: false,
  });
  noteJourney(call.response, run.journey);
  return own === undefined ? { run } : { run, own };
}

function checkedInput({ inputFor }: OwnWords): (entry: CatalogEntry) => Input {
  return (entry) => {
    const input = inputFor(entry);
    checkInput(entry, input);
    return input;
  };
}

async function answerStream(call: Call, services: Services, pass: Pass): Promise<void> {
  const { format, renderFailure, onRun } = pass;
  const { run, own } = beginRun(call, services, pass);
  onRun?.(run);
  const other = own?.stream(run);
  const { requestId } = call;
  const facts: RawStream = { format, requestId, ...(other && { other: other.shape }) };
  await follow({
    run,
    response: call.response,
    renderer: wireFrames({
      run,
      format,
      renderFailure,
      renderOther: other?.render,
    }),
    // Of the wire format follows how a failure is said when it is written again (`stream-shapes.ts`).
    shape: { name: rawShapeName, facts },
    deadlines: services.deadlines,
    commitOn: "output",
    signal: call.signal,
  });
}

/** A whole answer that may be stored, be another call's, or come from an upstream of another shape: a run. */
async function answerByRun(call: Call, services: Services, pass: Pass): Promise<void> {
  const { run, own } = beginRun(call, services, pass);
  const outcome = await waitForCaller(run, call.signal);
  if (outcome.failure !== undefined) throw outcome.failure;
  const raw = await collectRaw(run.log, call.signal);
  const { body, headers } =
    raw.length > 0 || own === undefined ? { body: raw } : await own.whole(run, outcome);
  sendJson(call.response, { body, headers: { ...startHeaders(run), ...headers } });
}

async function answerWhole(
  call: Call,
  services: Services,
  { model, wire }: Pass,
  candidates: readonly Candidate[],
): Promise<void> {
  const { response } = call;
  let stop = (): void => {};
  const onClose = (): void => stop();
  response.once("close", onClose);
  const { journey, body } = await services.relays.send({
    request: { ...callFacts(call, services, model), entry: model.entry },
    wire,
    candidates,
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
  const countsOnRequest = format === "chat-completions" || format === "completions";
  const hidesUsage = isStreamed && countsOnRequest && !asksForUsage(body, fields);
  const bodyFor = (name: string): Buffer => {
    const named = renameModel(body, fields, name);
    return hidesUsage ? withUsage(named, fields) : named;
  };
  return {
    format,
    model,
    body: bodyFor(model),
    bodyFor,
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
