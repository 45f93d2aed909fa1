import type { FoundModel } from "../../catalog/find.ts";
import { GatewayError } from "../../errors.ts";
import type { Call, Services } from "../../http/call.ts";
import { sendJson, startHeaders, type Headers } from "../../http/respond.ts";
import type { Run } from "../../prediction/run.ts";
import { findCallable, startRun, type Input } from "../../prediction/start.ts";
import { waitForCaller } from "../../prediction/wait.ts";
import { follow } from "../../stream/follow.ts";
import { inShape } from "../../stream/shape.ts";
import { enclose, isThirdParty, providerName, type EnvelopeKind } from "./envelope.ts";
import { RunStateError } from "./errors.ts";
import { workersShape, workersStream } from "./frames.ts";
import { readCall, type WorkersCall } from "./input.ts";
import type { RunOptions } from "./options.ts";
import { resultOf, type Ended, type WorkersResult } from "./result.ts";

export interface RunCall {
  readonly model: string;
  readonly inputs: Input;
  readonly options: RunOptions;
  /** `state` only where the model is a third party's, unless it is asked for. */
  readonly envelope: EnvelopeKind | "by-model";
}

/**
 * `AI.run` in all its forms: any model with any inputs that fit it, answered as JSON, as the bytes of a file, or as a
 * stream that can be taken up again.
 * @throws `GatewayError`; a `RunStateError` where the newer envelope is to tell it
 */
export async function runModel(call: Call, services: Services, options: RunCall): Promise<void> {
  const found = findCallable(call, services, options.model, {
    body: options.inputs,
    metadata: options.options.metadata,
  });
  const envelope = envelopeOf(found, options);
  try {
    const asked = readCall(found.entry, options.inputs);
    if (options.options.rejectIfBusy) refuseBusy(services, found);
    announce(call, found, options.options);
    const runs = begin(call, services, { ...options, found, asked });
    if (asked.isStreamed && asked.inputs.length === 1) {
      await stream(call, services, { run: runs[0], asked });
      return;
    }
    const ended = await collect(runs, call.signal);
    send(call, { envelope, found, run: runs[0], result: resultOf(asked.shape, ended) });
  } catch (error) {
    if (envelope !== "state") throw error;
    throw new RunStateError(GatewayError.from(error), found.entry.id);
  }
}

function envelopeOf({ entry }: FoundModel, { envelope }: RunCall): EnvelopeKind {
  if (envelope !== "by-model") return envelope;
  return isThirdParty(entry) ? "state" : "classic";
}

/** @throws `GatewayError` `capacity`, which Workers AI calls 3040, rather than letting the caller wait */
function refuseBusy(services: Services, { entry }: FoundModel): void {
  if (services.upstream.state?.(entry.id) !== "busy") return;
  throw new GatewayError("capacity", `All instances of ${entry.id} are busy.`, {
    retryAfterMs: busyRetryMs,
  });
}

const busyRetryMs = 1_000;

function begin(
  call: Call,
  services: Services,
  options: {
    readonly found: FoundModel;
    readonly asked: WorkersCall;
    readonly inputs: Input;
    readonly options: RunOptions;
  },
): readonly [Run, ...Run[]] {
  const { found, asked } = options;
  const { metadata, isDetached, overrides } = options.options;
  const isWhole = !(asked.isStreamed && asked.inputs.length === 1);
  const [first, ...others] = asked.inputs.map((input, index) =>
    startRun(call, services, {
      model: found,
      input,
      metadata,
      isDetached,
      isWhole,
      inputFor: (entry) => readCall(entry, options.inputs).inputs[index] ?? {},
      cacheWish: options.options.cacheWish,
      ...(overrides !== undefined && { overrides }),
    }),
  );
  if (first === undefined) throw new GatewayError("internal", "A call without an input.");
  return [first, ...others];
}

async function stream(
  call: Call,
  services: Services,
  { run, asked }: { readonly run: Run; readonly asked: WorkersCall },
): Promise<void> {
  await follow({
    run,
    response: call.response,
    ...inShape(workersShape, { run, facts: workersStream(run, asked.shape), services }),
    deadlines: services.deadlines,
    commitOn: "output",
    signal: call.signal,
  });
}

/** Waits for all; when one fails, the others are for nobody any more. */
async function collect(
  runs: readonly [Run, ...Run[]],
  signal: AbortSignal,
): Promise<readonly [Ended, ...Ended[]]> {
  try {
    const ended = await Promise.all(
      runs.map(async (run) => {
        const outcome = await waitForCaller(run, signal);
        if (outcome.failure !== undefined) throw outcome.failure;
        return { run, outcome };
      }),
    );
    return ended as unknown as readonly [Ended, ...Ended[]];
  } catch (error) {
    for (const run of runs) if (runs.length > 1) run.cancel();
    throw error;
  }
}

function send(
  call: Call,
  options: {
    readonly envelope: EnvelopeKind;
    readonly found: FoundModel;
    readonly run: Run;
    readonly result: WorkersResult;
  },
): void {
  const { envelope, found, run, result } = options;
  const headers = startHeaders(run);
  if (result.kind === "json") {
    const body = enclose(envelope, found.entry, result.value);
    sendJson(call.response, { body, headers });
    return;
  }
  call.response.writeHead(200, {
    "content-type": result.contentType,
    "content-length": String(result.bytes.length),
    ...headers,
  });
  call.response.end(result.bytes);
}

/** What the answer says about the call whatever comes of it. */
function announce(call: Call, { entry }: FoundModel, options: RunOptions): void {
  const { response } = call;
  response.setHeader("cf-aig-model", entry.id.replaceAll(/[^\x20-\x7e]/g, ""));
  response.setHeader("cf-aig-provider", providerName(entry));
  if (options.eventId !== undefined) {
    response.setHeader("cf-aig-event-id", options.eventId.replaceAll(/[^\x20-\x7e]/g, ""));
  }
}

/** Headers of every answer of the Workers AI and AI Gateway surfaces, failures included. */
export function callHeaders(call: Call): Headers {
  return {
    "cf-ai-req-id": call.requestId,
    "cf-aig-request-id": call.requestId,
    "cf-aig-step": "0",
    "cf-aig-cache-status": "MISS",
  };
}
