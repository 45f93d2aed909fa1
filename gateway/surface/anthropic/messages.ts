import { conversationBytes } from "../../chat/conversation.ts";
import { createChatReader, leanRequest, type ChatRequest } from "../../chat/create-reader.ts";
import { chatInput } from "../../chat/input.ts";
import type { GatewayError } from "../../errors.ts";
import { parseJsonObject, readBody, readJsonObject } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson, startHeaders, type Headers } from "../../http/respond.ts";
import type { Outcome, Run } from "../../prediction/run.ts";
import { findCallable, startRun, type Input } from "../../prediction/start.ts";
import { waitForCaller } from "../../prediction/wait.ts";
import { follow } from "../../stream/follow.ts";
import { inShape } from "../../stream/shape.ts";
import { estimatedTokens } from "../../usage/usage.ts";
import { passThrough, type OwnWords } from "../pass-through.ts";
import { invalid } from "./blocks.ts";
import { failureFrame, messageShape, type MessageStream } from "./frames.ts";
import { wholeMessage, type MessageFacts } from "./message.ts";
import { toChatRequest } from "./request.ts";

/** `POST /v1/messages`: Anthropic's messages on any model that can chat. */
export async function createMessage(call: Call, services: Services): Promise<void> {
  allowMethods(call, "POST");
  const { requestId } = call;
  const bytes = await readBody(call.request);
  const renderFailure = (failure: GatewayError): string => failureFrame(failure, requestId);
  const isPassed = await passThrough(call, services, {
    format: "messages",
    body: bytes,
    renderFailure,
    ownWords: (body) => messageWords(call, services, body),
  });
  if (isPassed) return;
  const body = parseJsonObject(bytes);
  const request = toChatRequest(body, { needsMaxTokens: true });
  const isStreamed = readStream(body["stream"]);
  const model = String(request["model"]);
  const found = findCallable(call, services, model, { body });
  const run = startRun(call, services, {
    model: found,
    input: chatInput(found.entry, request),
    isWhole: !isStreamed,
    inputFor: (entry) => chatInput(entry, request),
  });
  if (isStreamed) {
    await follow({
      run,
      response: call.response,
      ...inShape(messageShape, { run, facts: streamFacts(run, request, requestId), services }),
      deadlines: services.deadlines,
      commitOn: "output",
      signal: call.signal,
    });
    return;
  }
  const outcome = await waitForCaller(run, call.signal);
  if (outcome.failure !== undefined) throw outcome.failure;
  const { body: message, headers } = messageAnswer(run, request, outcome);
  sendJson(call.response, { body: message, headers: { ...startHeaders(run), ...headers } });
}

function messageFacts(run: Run, request: ChatRequest): MessageFacts {
  return { id: `msg_${run.id}`, model: String(request["model"]) };
}

function streamFacts(run: Run, request: ChatRequest, requestId: string): MessageStream {
  return {
    ...leanRequest(request),
    facts: messageFacts(run, request),
    estimatedInputTokens: inputTokens(request),
    requestId,
  };
}

function messageAnswer(
  run: Run,
  request: ChatRequest,
  outcome: Outcome,
): { readonly body: unknown; readonly headers: Headers } {
  const { result } = createChatReader(run, { request }).finish(outcome);
  return {
    body: wholeMessage(messageFacts(run, request), result),
    headers: result.usage.isEstimated ? { "x-byom-usage": "estimated" } : {},
  };
}

/** For an upstream that does not speak Anthropic's shape, behind others that do. */
function messageWords(call: Call, services: Services, body: Input): OwnWords {
  const request = toChatRequest(body, { needsMaxTokens: true });
  return {
    inputFor: (entry) => chatInput(entry, request),
    stream: (run) => {
      const facts = streamFacts(run, request, call.requestId);
      const { shape } = inShape(messageShape, { run, facts, services });
      return { shape, render: (place) => messageShape.create(run, { ...facts, place }, services) };
    },
    whole: (run, outcome) => messageAnswer(run, request, outcome),
  };
}

/** `POST /v1/messages/count_tokens`: an estimate, as only the model itself could count. */
export async function countTokens(call: Call, services: Services): Promise<void> {
  allowMethods(call, "POST");
  const request = toChatRequest(await readJsonObject(call.request), { needsMaxTokens: false });
  const { entry } = findCallable(call, services, String(request["model"]));
  chatInput(entry, request);
  sendJson(call.response, {
    body: { input_tokens: inputTokens(request) },
    headers: { "x-byom-usage": "estimated" },
  });
}

function inputTokens(request: ChatRequest): number {
  const { tools } = request;
  const toolBytes = tools === undefined ? 0 : Buffer.byteLength(JSON.stringify(tools));
  return estimatedTokens(conversationBytes(request) + toolBytes);
}

function readStream(stream: unknown): boolean {
  if (stream === undefined || stream === null) return false;
  if (typeof stream === "boolean") return stream;
  throw invalid("stream", "must be true or false");
}
