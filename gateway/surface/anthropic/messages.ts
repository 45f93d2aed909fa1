import { conversationBytes } from "../../chat/conversation.ts";
import { createChatReader, leanRequest, type ChatRequest } from "../../chat/create-reader.ts";
import { chatInput } from "../../chat/input.ts";
import type { GatewayError } from "../../errors.ts";
import { parseJsonObject, readBody, readJsonObject } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import { findCallable, startRun } from "../../prediction/start.ts";
import { waitForCaller } from "../../prediction/wait.ts";
import { follow } from "../../stream/follow.ts";
import { inShape } from "../../stream/shape.ts";
import { estimatedTokens } from "../../usage/usage.ts";
import { passThrough } from "../pass-through.ts";
import { invalid } from "./blocks.ts";
import { failureFrame, messageShape } from "./frames.ts";
import { wholeMessage } from "./message.ts";
import { toChatRequest } from "./request.ts";

/** `POST /v1/messages`: Anthropic's messages on any model that can chat. */
export async function createMessage(call: Call, services: Services): Promise<void> {
  allowMethods(call, "POST");
  const { requestId } = call;
  const bytes = await readBody(call.request);
  const renderFailure = (failure: GatewayError): string => failureFrame(failure, requestId);
  if (await passThrough(call, services, { format: "messages", body: bytes, renderFailure })) return;
  const body = parseJsonObject(bytes);
  const request = toChatRequest(body, { needsMaxTokens: true });
  const isStreamed = readStream(body["stream"]);
  const model = String(request["model"]);
  const found = findCallable(call, services, model);
  const run = startRun(call, services, { model: found, input: chatInput(found.entry, request) });
  const facts = { id: `msg_${run.id}`, model };
  if (isStreamed) {
    const estimatedInputTokens = inputTokens(request);
    await follow({
      run,
      response: call.response,
      ...inShape(messageShape, {
        run,
        facts: { ...leanRequest(request), facts, estimatedInputTokens, requestId },
        services,
      }),
      deadlines: services.deadlines,
      commitOn: "output",
      signal: call.signal,
    });
    return;
  }
  const outcome = await waitForCaller(run, call.signal);
  if (outcome.failure !== undefined) throw outcome.failure;
  const { result } = createChatReader(run, { request }).finish(outcome);
  sendJson(call.response, {
    body: wholeMessage(facts, result),
    headers: {
      ...startHeaders(run),
      ...(result.usage.isEstimated ? { "x-byom-usage": "estimated" } : {}),
    },
  });
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
