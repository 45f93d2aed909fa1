import { chatInput } from "../../../chat/input.ts";
import { GatewayError } from "../../../errors.ts";
import { parseJsonObject, readBody } from "../../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../../http/call.ts";
import { sendJson, startHeaders } from "../../../http/respond.ts";
import { randomId } from "../../../ids.ts";
import type { Run } from "../../../prediction/run.ts";
import { findCallable, startRun } from "../../../prediction/start.ts";
import { waitForCaller } from "../../../prediction/wait.ts";
import { follow } from "../../../stream/follow.ts";
import { inShape } from "../../../stream/shape.ts";
import { passThrough, type OwnWords } from "../../pass-through.ts";
import { isStreamed } from "../chat.ts";
import { responseBody } from "./body.ts";
import { responseFrames, responseShape } from "./frames.ts";
import { chatMessages, parseInput, type Item } from "./items.ts";
import { responseEnd, type ResponseKeeper } from "./keeper.ts";
import { failureEvent, mayPass } from "./passed.ts";
import { parseResponseFacts, responseChat, type ResponseFacts } from "./request.ts";
import type { StoredResponse } from "./store.ts";

/** `POST /v1/responses`: whole, streamed, or in the background. */
export async function createResponse(
  call: Call,
  services: Services,
  keeper: ResponseKeeper,
): Promise<void> {
  allowMethods(call, "POST");
  const bytes = await readBody(call.request);
  const passes = mayPass(bytes) && (await pass(call, services, { keeper, bytes }));
  if (passes) return;
  const body = parseJsonObject(bytes);
  const facts = parseResponseFacts(body);
  const isStream = isStreamed(body);
  const model = findCallable(call, services, facts.model);
  const predictionId = randomId();
  const input = parseInput(body["input"], {
    predictionId,
    findItem: keeper.itemFinder(call.key),
  });
  const response: StoredResponse = {
    id: `resp_${predictionId}`,
    predictionId,
    modelId: model.entry.id,
    createdAt: Math.floor(services.clock() / 1000),
    facts,
    input,
    ...(call.key === undefined ? {} : { keyId: call.key.id }),
  };
  await assertEnded(call, keeper, facts.previousResponseId);
  const items = await keeper.conversation(response, call.key);
  const messages = chatMessages(items, (id) => `${call.baseUrl}/v1/files/${id}`);
  const run = startRun(call, services, {
    model,
    input: chatInput(model.entry, responseChat(facts, messages)),
    id: predictionId,
    isDetached: facts.isBackground,
    isRecorded: facts.isBackground,
    isWhole: !isStream,
    inputFor: (entry) => chatInput(entry, responseChat(facts, messages)),
    metadata: facts.metadata,
  });
  if (facts.isBackground) acceptInBackground(keeper, response, run);
  const keepsFailure = isStream || facts.isBackground;
  const kept = facts.isStored ? keeper.track(response, run, { keepsFailure }) : undefined;
  if (isStream) await stream(call, services, { response, run });
  else if (facts.isBackground) sendJson(call.response, { body: responseBody(response, "queued") });
  else await complete(call, { response, run, kept });
}

/** False for a model that no provider of the same shape serves. */
function pass(
  call: Call,
  services: Services,
  { keeper, bytes }: { readonly keeper: ResponseKeeper; readonly bytes: Buffer },
): Promise<boolean> {
  return passThrough(call, services, {
    format: "responses",
    body: bytes,
    renderFailure: failureEvent,
    ownWords: (body) => responseWords(call, services, body),
    onRun: (run) => keeper.passed.note(run, call.key),
  });
}

/** For an upstream that does not speak of responses, behind others that do; undefined where only those can answer. */
function responseWords(
  call: Call,
  services: Services,
  body: Readonly<Record<string, unknown>>,
): OwnWords | undefined {
  const chat = readChat(call, body);
  if (chat === undefined) return undefined;
  const { facts, messages } = chat;
  const responseOf = (run: Run): StoredResponse => ({
    id: `resp_${run.id}`,
    predictionId: run.id,
    modelId: run.entry.id,
    createdAt: Math.floor(Date.parse(run.createdAt) / 1000),
    facts,
    input: [],
  });
  return {
    inputFor: (entry) => chatInput(entry, responseChat(facts, messages)),
    stream: (run) => ({
      shape: inShape(responseShape, { run, facts: responseOf(run), services }).shape,
      render: () => responseFrames(responseOf(run), run),
    }),
    whole: async (run) => {
      const response = responseOf(run);
      return { body: responseBody({ ...response, end: await responseEnd(response, run) }) };
    },
  };
}

/** Undefined for a request that only a provider can understand, such as one with a tool of its own. */
function readChat(
  call: Call,
  body: Readonly<Record<string, unknown>>,
): { readonly facts: ResponseFacts; readonly messages: readonly Item[] } | undefined {
  try {
    const facts = parseResponseFacts(body);
    // Its items are nobody's afterwards.
    const items = parseInput(body["input"], { predictionId: "0", findItem: () => undefined });
    return { facts, messages: chatMessages(items, (id) => `${call.baseUrl}/v1/files/${id}`) };
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}

/** Accepted means not lost: what cannot be kept is not begun. */
function acceptInBackground(keeper: ResponseKeeper, response: StoredResponse, run: Run): void {
  try {
    keeper.accept(response);
  } catch (error) {
    run.cancel();
    throw error;
  }
}

/** A conversation goes on from an answer that is complete. */
async function assertEnded(
  call: Call,
  keeper: ResponseKeeper,
  previousId: string | null,
): Promise<void> {
  if (previousId === null) return;
  const { end } = await keeper.get(previousId, call.key).catch((error: unknown) => {
    const { message } = GatewayError.from(error);
    throw new GatewayError("not_found", message, { parameter: "previous_response_id" });
  });
  if (end?.status === "completed" || end?.status === "incomplete") return;
  throw new GatewayError(
    "invalid_request",
    `${previousId} is ${end?.status ?? "not finished yet"}: there is no answer to go on from.`,
    { parameter: "previous_response_id" },
  );
}

async function stream(
  call: Call,
  services: Services,
  { response, run }: { readonly response: StoredResponse; readonly run: Run },
): Promise<void> {
  await follow({
    run,
    response: call.response,
    // What was said is not part of the stream.
    ...inShape(responseShape, { run, facts: { ...response, input: [] }, services }),
    deadlines: services.deadlines,
    commitOn: "output",
    // One that is accepted has an id, which its caller must hear at once.
    ...(response.facts.isBackground ? { framesRead: 0 } : {}),
    signal: call.signal,
  });
}

async function complete(
  call: Call,
  options: {
    readonly response: StoredResponse;
    readonly run: Run;
    /** Absent: it is not to be stored. */
    readonly kept: Promise<StoredResponse> | undefined;
  },
): Promise<void> {
  const { response, run, kept } = options;
  const outcome = await waitForCaller(run, call.signal);
  if (outcome.failure !== undefined) throw outcome.failure;
  const whole = (await kept) ?? { ...response, end: await responseEnd(response, run) };
  const isEstimated = whole.end?.usage?.["estimated"] === true;
  sendJson(call.response, {
    body: responseBody(whole),
    headers: { ...startHeaders(run), ...(isEstimated ? { "x-byom-usage": "estimated" } : {}) },
  });
}
