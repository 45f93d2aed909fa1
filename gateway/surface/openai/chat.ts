import { createChatReader, leanRequest } from "../../chat/create-reader.ts";
import { chatInput } from "../../chat/input.ts";
import { GatewayError } from "../../errors.ts";
import { isObject, parseJsonObject, readBody } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import { findCallable, startRun } from "../../prediction/start.ts";
import { waitForCaller } from "../../prediction/wait.ts";
import { follow } from "../../stream/follow.ts";
import { inShape } from "../../stream/shape.ts";
import { passThrough } from "../pass-through.ts";
import { chatCompletion, chatShape, type ChatFacts } from "./chat-frames.ts";
import { openAiError } from "./errors.ts";

/** `POST /v1/chat/completions`: an OpenAI chat request on any model that takes messages or a prompt and answers with text. */
export async function chatCompletions(call: Call, services: Services): Promise<void> {
  allowMethods(call, "POST");
  const bytes = await readBody(call.request);
  if (
    await passThrough(call, services, { format: "chat-completions", body: bytes, renderFailure })
  ) {
    return;
  }
  const body = parseJsonObject(bytes);
  const model = requireModel(body);
  assertOneAnswer(body);
  const isStream = isStreamed(body);
  const found = findCallable(call, services, model);
  const run = startRun(call, services, { model: found, input: chatInput(found.entry, body) });
  const facts: ChatFacts = {
    run,
    request: body,
    id: `chatcmpl-${run.id}`,
    model,
    created: Math.floor(services.clock() / 1000),
  };
  if (isStream) await stream(call, services, facts, body);
  else await complete(call, facts);
}

/** A failure in the middle of a stream: there is no status any more, only an event. */
export function renderFailure(failure: GatewayError): string {
  return `data: ${JSON.stringify(openAiError(failure))}\n\n`;
}

/** @throws `GatewayError` `invalid_request` */
export function requireModel(body: Readonly<Record<string, unknown>>): string {
  const { model } = body;
  if (typeof model === "string" && model !== "") return model;
  throw new GatewayError("invalid_request", "model is required.", { parameter: "model" });
}

/** @throws `GatewayError` `invalid_request` */
export function isStreamed(body: Readonly<Record<string, unknown>>): boolean {
  const { stream: isWanted } = body;
  if (isWanted === undefined || isWanted === null) return false;
  if (typeof isWanted === "boolean") return isWanted;
  throw new GatewayError("invalid_request", "stream must be true or false.", {
    parameter: "stream",
  });
}

/** Whether a stream is to end with its count of tokens. */
export function wantsUsage(body: Readonly<Record<string, unknown>>): boolean {
  const { stream_options: options } = body;
  return isObject(options) && options["include_usage"] === true;
}

/** What the gateway's answer cannot hold is refused even where a model has such an input. */
export function assertOneAnswer(body: Readonly<Record<string, unknown>>): void {
  const { n, logprobs } = body;
  if (n !== undefined && n !== null && n !== 1) {
    throw unsupported("n", "One call gives one answer: n can only be 1.");
  }
  if (logprobs !== undefined && logprobs !== null && logprobs !== false) {
    throw unsupported("logprobs", "logprobs are not given.");
  }
}

function unsupported(parameter: string, message: string): GatewayError {
  return new GatewayError("unsupported_parameter", message, { parameter });
}

async function stream(
  call: Call,
  services: Services,
  facts: ChatFacts,
  body: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { run, id, model, created } = facts;
  const kept = { ...leanRequest(body), id, model, created, includeUsage: wantsUsage(body) };
  await follow({
    run,
    response: call.response,
    ...inShape(chatShape, { run, facts: kept, services }),
    deadlines: services.deadlines,
    commitOn: "output",
    signal: call.signal,
  });
}

async function complete(call: Call, facts: ChatFacts): Promise<void> {
  const { run, request } = facts;
  const outcome = await waitForCaller(run, call.signal);
  if (outcome.failure !== undefined) throw outcome.failure;
  const { result } = createChatReader(run, { request }).finish(outcome);
  sendJson(call.response, {
    body: chatCompletion(facts, result),
    headers: {
      ...startHeaders(run),
      ...(result.usage.isEstimated ? { "x-byom-usage": "estimated" } : {}),
    },
  });
}
