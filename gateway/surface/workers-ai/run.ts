import { GatewayError } from "../../errors.ts";
import type { CatalogEntry } from "../../catalog/entry.ts";
import { isTextOutput, outputText } from "../../catalog/schema.ts";
import { propertiesOf } from "../../catalog/validate-input.ts";
import { isObject, readJsonObject } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import type { Outcome, Run } from "../../prediction/run.ts";
import { findCallable, startRun } from "../../prediction/start.ts";
import { waitForCaller } from "../../prediction/wait.ts";
import { chunkJson, type StreamEvent } from "../../stream/event.ts";
import { follow, type FrameRenderer } from "../../stream/follow.ts";
import { usageOf } from "../../usage/usage.ts";
import { chatInput } from "../../chat/input.ts";
import { failure, success } from "./errors.ts";

/** `POST …/ai/run` with `{model, input}`. */
export async function runFromBody(call: Call, services: Services): Promise<void> {
  allowMethods(call, "POST");
  const { model, input = {} } = await readJsonObject(call.request);
  if (typeof model !== "string" || model === "") {
    throw new GatewayError("invalid_request", "model is required.", { parameter: "model" });
  }
  if (!isObject(input)) {
    throw new GatewayError("invalid_request", "input must be an object.", { parameter: "input" });
  }
  await run(call, services, { model, input });
}

/** `POST …/ai/run/{owner}/{name}` with the input as the body. */
export async function runFromPath(call: Call, services: Services, model: string): Promise<void> {
  allowMethods(call, "POST");
  await run(call, services, { model, input: await readJsonObject(call.request) });
}

async function run(
  call: Call,
  services: Services,
  options: { readonly model: string; readonly input: Readonly<Record<string, unknown>> },
): Promise<void> {
  const found = findCallable(call, services, options.model);
  const { input, isStreamed } = modelInput(found.entry, options.input);
  const started = startRun(call, services, { model: found, input });
  if (isStreamed) {
    await follow({
      run: started,
      response: call.response,
      renderer: workersFrames(started),
      deadlines: services.deadlines,
      commitOn: "output",
      signal: call.signal,
    });
    return;
  }
  const outcome = await waitForCaller(started, call.signal);
  if (outcome.failure !== undefined) throw outcome.failure;
  sendJson(call.response, {
    body: success(resultOf(started, outcome)),
    headers: startHeaders(started),
  });
}

/** `stream` is the call's own unless the model has such an input; a chat is flattened for a model that takes a prompt. */
function modelInput(
  entry: CatalogEntry,
  given: Readonly<Record<string, unknown>>,
): { readonly input: Readonly<Record<string, unknown>>; readonly isStreamed: boolean } {
  const properties = propertiesOf(entry.inputSchema);
  const { stream, ...rest } = given;
  const input = Object.hasOwn(properties, "stream") ? given : rest;
  const isChat = Object.hasOwn(input, "messages") && !Object.hasOwn(properties, "messages");
  return {
    input: isChat && Object.hasOwn(properties, "prompt") ? chatInput(entry, input) : input,
    isStreamed: stream === true,
  };
}

/** `data: {"response":…}` per piece, a last one with the usage, `data: [DONE]`; a failure is an envelope in its place. */
export function workersFrames(run: Run): FrameRenderer {
  let outputBytes = 0;
  return {
    render: (event: StreamEvent) => {
      if (event.kind === "output") {
        const json = chunkJson(event.data);
        const piece: unknown = JSON.parse(json.toString("utf8"));
        outputBytes += json.length - 2;
        return frame({ response: isTextOutput(run.entry) ? outputText(run.entry, piece) : piece });
      }
      if (event.kind !== "completed" && event.kind !== "error") return undefined;
      const { outcome } = run;
      if (outcome === undefined) return undefined;
      if (outcome.failure !== undefined) return frame(failure(outcome.failure));
      return `${frame({ response: "", usage: usageBody(run, outcome, outputBytes) })}data: [DONE]\n\n`;
    },
  };
}

/** Text models answer as Workers AI's do; any other output is the result as it is. */
function resultOf(run: Run, outcome: Outcome): unknown {
  if (!isTextOutput(run.entry)) return outcome.output;
  const response = outputText(run.entry, outcome.output);
  return { response, usage: usageBody(run, outcome, Buffer.byteLength(response)) };
}

function usageBody(run: Run, outcome: Outcome, outputBytes: number): Record<string, unknown> {
  const { prompt, messages } = run.request.input;
  const text = typeof prompt === "string" ? prompt : JSON.stringify(messages ?? "");
  const usage = usageOf({
    metrics: outcome.metrics,
    inputBytes: Buffer.byteLength(text),
    outputBytes,
  });
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    ...(usage.isEstimated ? { estimated: true } : {}),
  };
}

function frame(body: unknown): string {
  return `data: ${JSON.stringify(body)}\n\n`;
}
