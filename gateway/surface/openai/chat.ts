import { createChatReader, leanRequest } from "../../chat/create-reader.ts";
import { chatInput } from "../../chat/input.ts";
import { GatewayError } from "../../errors.ts";
import { isObject, parseJsonObject, readBody } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson, startHeaders, type Headers } from "../../http/respond.ts";
import type { Outcome } from "../../prediction/run.ts";
import { findCallable, startRun } from "../../prediction/start.ts";
import { waitForCaller } from "../../prediction/wait.ts";
import { follow } from "../../stream/follow.ts";
import { inShape } from "../../stream/shape.ts";
import { passThrough, type OwnWords } from "../pass-through.ts";
import { chatCompletion, chatShape, type ChatFacts } from "./chat-frames.ts";
import { openAiError } from "./errors.ts";

/** `POST /v1/chat/completions`: an OpenAI chat request on any model that takes messages or a prompt and answers with text. */
export async function chatCompletions(call: Call, services: Services): Promise<void> {
  allowMethods(call, "POST");
  const bytes = await readBody(call.request);
  const isPassed = await passThrough(call, services, {
    format: "chat-completions",
    body: bytes,
    renderFailure,
    ownWords: (body) => chatWords(services, body),
  });
  if (isPassed) return;
  const body = parseJsonObject(bytes);
  const model = requireModel(body);
  assertOneAnswer(body);
  const isStream = isStreamed(body);
  const found = findCallable(call, services, model, { body });
  const run = startRun(call, services, {
    model: found,
    input: chatInput(found.entry, body),
    isWhole: !isStream,
    inputFor: (entry) => chatInput(entry, body),
  });
  const facts = chatFacts(services, { run, request: body, model });
  if (isStream) await stream(call, services, facts, body);
  else await complete(call, facts);
}

function chatFacts(
  services: Services,
  facts: Pick<ChatFacts, "run" | "request" | "model">,
): ChatFacts {
  const created = Math.floor(services.clock() / 1000);
  return { ...facts, id: `chatcmpl-${facts.run.id}`, created };
}

/** For an upstream that does not speak OpenAI, behind others that do. */
function chatWords(services: Services, body: Readonly<Record<string, unknown>>): OwnWords {
  const model = requireModel(body);
  assertOneAnswer(body);
  return {
    inputFor: (entry) => chatInput(entry, body),
    stream: (run) => {
      const { id, created } = chatFacts(services, { run, request: body, model });
      const facts = { ...leanRequest(body), id, model, created, includeUsage: wantsUsage(body) };
      const { shape } = inShape(chatShape, { run, facts, services });
      return { shape, render: () => chatShape.create(run, facts, services) };
    },
    whole: (run, outcome) =>
      chatAnswer(chatFacts(services, { run, request: body, model }), outcome),
  };
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
  const { run } = facts;
  const outcome = await waitForCaller(run, call.signal);
  if (outcome.failure !== undefined) throw outcome.failure;
  const { body, headers } = chatAnswer(facts, outcome);
  sendJson(call.response, { body, headers: { ...startHeaders(run), ...headers } });
}

function chatAnswer(facts: ChatFacts, outcome: Outcome): { body: unknown; headers: Headers } {
  const { result } = createChatReader(facts.run, { request: facts.request }).finish(outcome);
  return {
    body: chatCompletion(facts, result),
    headers: result.usage.isEstimated ? { "x-byom-usage": "estimated" } : {},
  };
}
