import { GatewayError } from "../../errors.ts";
import { isObject, readJsonObject } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import type { Run } from "../../prediction/run.ts";
import { findCallable, startRun } from "../../prediction/start.ts";
import { waitForCaller } from "../../prediction/wait.ts";
import { follow } from "../../stream/follow.ts";
import { chatCompletion, chatFrames, type ChatFacts } from "./chat-frames.ts";
import { chatInput } from "./chat-input.ts";

/** `POST /v1/chat/completions`: an OpenAI chat request on any model with a `messages` or `prompt` input. */
export async function chatCompletions(call: Call, services: Services): Promise<void> {
  allowMethods(call, "POST");
  const body = await readJsonObject(call.request);
  const { model } = body;
  if (typeof model !== "string" || model === "") {
    throw new GatewayError("invalid_request", "model is required.", { parameter: "model" });
  }
  const found = findCallable(call, services, model);
  const run = startRun(call, services, { model: found, input: chatInput(found.entry, body) });
  const facts = chatFacts({ run, model, body, services });
  if (body["stream"] === true) await stream(call, services, facts, body);
  else await complete(call, facts);
}

async function stream(
  call: Call,
  services: Services,
  facts: ChatFacts,
  body: Readonly<Record<string, unknown>>,
): Promise<void> {
  const streamOptions = body["stream_options"];
  const includeUsage = isObject(streamOptions) && streamOptions["include_usage"] === true;
  await follow({
    run: facts.run,
    response: call.response,
    renderer: chatFrames(facts, { includeUsage }),
    deadlines: services.deadlines,
    commitOn: "output",
    signal: call.signal,
  });
}

async function complete(call: Call, facts: ChatFacts): Promise<void> {
  const { run } = facts;
  const outcome = await waitForCaller(run, call.signal);
  if (outcome.failure !== undefined) throw outcome.failure;
  const { body, usage } = chatCompletion(facts, outcome);
  sendJson(call.response, {
    body,
    headers: {
      ...startHeaders(run),
      ...(usage.isEstimated ? { "x-byom-usage": "estimated" } : {}),
    },
  });
}

function chatFacts(options: {
  readonly run: Run;
  readonly model: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly services: Services;
}): ChatFacts {
  const { run, body } = options;
  const limit = body["max_completion_tokens"] ?? body["max_tokens"];
  return {
    run,
    id: `chatcmpl-${run.id}`,
    model: options.model,
    created: Math.floor(options.services.clock() / 1000),
    inputBytes: conversationBytes(run.request.input),
    tokenLimit: typeof limit === "number" ? limit : undefined,
  };
}

/** Text of the conversation as the model gets it, for an estimate. */
function conversationBytes(input: Readonly<Record<string, unknown>>): number {
  const said = input["messages"] ?? [input["system_prompt"], input["prompt"]];
  const texts = Array.isArray(said)
    ? said.map((part: unknown) => (isObject(part) ? part["content"] : part))
    : [said];
  return texts.reduce<number>(
    (sum, text) => sum + (typeof text === "string" ? Buffer.byteLength(text) : 0),
    0,
  );
}
