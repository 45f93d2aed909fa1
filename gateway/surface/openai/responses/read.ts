import { GatewayError } from "../../../errors.ts";
import type { Call, Services } from "../../../http/call.ts";
import { sendJson } from "../../../http/respond.ts";
import type { Run } from "../../../prediction/run.ts";
import { holdFor } from "../../../prediction/wait.ts";
import { follow } from "../../../stream/follow.ts";
import { inShape } from "../../../stream/shape.ts";
import { lastEventId } from "../../../http/last-event-id.ts";
import { responseBody } from "./body.ts";
import { lastFrame, replayFrames, responseShape } from "./frames.ts";
import type { ResponseKeeper } from "./keeper.ts";
import { passedFrames } from "./passed.ts";
import type { ResponseEnd, StoredResponse } from "./store.ts";

/** `GET /v1/responses/{id}`, also `?stream=true&starting_after=N`. */
export async function readResponse(
  call: Call,
  services: Services,
  options: { readonly keeper: ResponseKeeper; readonly id: string },
): Promise<void> {
  const isStream = call.query.get("stream") === "true";
  const passedId = isStream ? options.keeper.passed.find(options.id, call.key) : undefined;
  const passed = passedId === undefined ? undefined : services.runner.find(passedId);
  if (passed !== undefined) {
    await streamPassed(call, services, passed);
    return;
  }
  if (isStream && (await streamKept(call, services, options))) return;
  const response = await options.keeper.get(options.id, call.key);
  if (isStream) await streamResponse(call, services, response);
  else sendJson(call.response, { body: currentBody(services, response) });
}

/** `POST /v1/responses/{id}/cancel`; one that has ended is returned as it is. */
export async function cancelResponse(
  call: Call,
  services: Services,
  options: { readonly keeper: ResponseKeeper; readonly id: string },
): Promise<void> {
  const { keeper, id } = options;
  const response = await keeper.get(id, call.key);
  if (!response.facts.isBackground) {
    throw new GatewayError(
      "invalid_request",
      "Only a response in the background can be canceled.",
      {
        hint: "Close the connection of one that is not: it stops by itself.",
      },
    );
  }
  const run = services.runner.find(response.predictionId);
  if (response.end === undefined && run !== undefined) {
    run.cancel();
    await holdFor(run, { holdMs: services.deadlines.cancelMs + holdMarginMs, signal: call.signal });
  }
  sendJson(call.response, { body: currentBody(services, await keeper.get(id, call.key)) });
}

/** A cancel that the model ignores ends with its connection; this long after that everything is settled. */
const holdMarginMs = 1_000;

/** `DELETE /v1/responses/{id}`. */
export async function deleteResponse(
  call: Call,
  services: Services,
  options: { readonly keeper: ResponseKeeper; readonly id: string },
): Promise<void> {
  const { keeper, id } = options;
  const response = await keeper.get(id, call.key);
  if (response.end === undefined) services.runner.find(response.predictionId)?.cancel();
  keeper.delete(id);
  services.runner.forgetStream(response.predictionId);
  sendJson(call.response, { body: { id, object: "response", deleted: true } });
}

const itemsDefault = 20;
const itemsMax = 100;

/** `GET /v1/responses/{id}/input_items`: what the response answers to, earlier turns too, a page at a time. */
export async function listInputItems(
  call: Call,
  options: { readonly keeper: ResponseKeeper; readonly id: string },
): Promise<void> {
  const response = await options.keeper.get(options.id, call.key);
  const limit = wholeNumber("limit", call.query.get("limit")) ?? itemsDefault;
  if (limit < 1 || limit > itemsMax) throw invalid("limit", `must be from 1 to ${itemsMax}`);
  const order = call.query.get("order") ?? "desc";
  if (order !== "asc" && order !== "desc") throw invalid("order", "must be asc or desc");
  const oldestFirst = await options.keeper.conversation(response, call.key);
  const items = order === "asc" ? oldestFirst : oldestFirst.toReversed();
  const after = call.query.get("after");
  const afterAt = after === null ? -1 : items.findIndex(({ id }) => id === after);
  if (after !== null && afterAt === -1)
    throw invalid("after", `is ${after}, which is no item here`);
  const data = items.slice(afterAt + 1, afterAt + 1 + limit);
  sendJson(call.response, {
    body: {
      object: "list",
      data,
      first_id: data[0]?.["id"] ?? null,
      last_id: data.at(-1)?.["id"] ?? null,
      has_more: afterAt + 1 + limit < items.length,
    },
  });
}

/** The provider's own events again, from after the last one that the reader has. */
async function streamPassed(call: Call, services: Services, run: Run): Promise<void> {
  const after = startingAfter(call);
  await follow({
    run,
    response: call.response,
    renderer: passedFrames(run, after),
    deadlines: services.deadlines,
    commitOn: "any",
    signal: call.signal,
  });
}

/** A stream of this gateway's own, which may be a former process's: from its journal. False for all others. */
async function streamKept(
  call: Call,
  services: Services,
  { keeper, id }: { readonly keeper: ResponseKeeper; readonly id: string },
): Promise<boolean> {
  const runId = id.startsWith("resp_") ? id.slice("resp_".length) : "";
  // One that is known here is read with what is known of it.
  if (keeper.isRunning(id) || services.runner.find(runId) !== undefined) return false;
  const run = services.runner.findStream(runId);
  const isMine = run?.request.keyId === call.key?.id || call.key?.scopes.includes("admin") === true;
  if (run?.shape?.name !== responseShape.name || !isMine) return false;
  const facts = run.shape.facts as StoredResponse;
  const after = startingAfter(call);
  await follow({
    run,
    response: call.response,
    renderer: responseShape.create(run, facts, services),
    deadlines: services.deadlines,
    commitOn: "any",
    framesRead: after === undefined ? 0 : after + 1,
    signal: call.signal,
  });
  return true;
}

/** The last event that the reader has: OpenAI's way to say it, or that of browsers. */
function startingAfter(call: Call): number | undefined {
  return wholeNumber("starting_after", call.query.get("starting_after") ?? lastEventId(call));
}

async function streamResponse(
  call: Call,
  services: Services,
  response: StoredResponse,
): Promise<void> {
  const after = startingAfter(call);
  const { end } = response;
  if (end !== undefined && after !== undefined && after > end.lastSequence) {
    throw invalid("starting_after", `is beyond the last event, ${end.lastSequence}`);
  }
  const run = services.runner.findStream(response.predictionId);
  if (run !== undefined) {
    await follow({
      run,
      response: call.response,
      ...inShape(responseShape, {
        run,
        facts: { ...withoutEnd(response), input: [] },
        services,
      }),
      deadlines: services.deadlines,
      commitOn: "any",
      framesRead: after === undefined ? 0 : after + 1,
      signal: call.signal,
    });
    return;
  }
  if (end === undefined) {
    throw new GatewayError("shutting_down", "This response waits to be taken up again.");
  }
  call.response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
  });
  call.response.end(replay(response, end, after));
}

/** Where the single events are gone, a reader who has some of them gets the last one, which has the whole response. */
function replay(response: StoredResponse, end: ResponseEnd, after: number | undefined): string {
  if (after === undefined) return replayFrames(response, end);
  return after === end.lastSequence ? "" : lastFrame(response, end);
}

function withoutEnd({ end: _end, ...response }: StoredResponse): StoredResponse {
  return response;
}

/** A response as it stands now. */
function currentBody(services: Services, response: StoredResponse): unknown {
  const run = services.runner.find(response.predictionId);
  const isQueued = response.facts.isBackground && run?.isSent !== true;
  return responseBody(response, isQueued ? "queued" : "in_progress");
}

function wholeNumber(name: string, text: string | null | undefined): number | undefined {
  if (text === null || text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw invalid(name, "must be a whole number");
}

function invalid(parameter: string, message: string): GatewayError {
  return new GatewayError("invalid_request", `${parameter} ${message}.`, { parameter });
}
