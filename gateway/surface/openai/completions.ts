import {
  createChatReader,
  leanRequest,
  type ChatRequest,
  type LeanRequest,
} from "../../chat/create-reader.ts";
import { chatInput } from "../../chat/input.ts";
import type { ChatResult } from "../../chat/reader.ts";
import { GatewayError } from "../../errors.ts";
import { parseJsonObject, readBody } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import type { Run } from "../../prediction/run.ts";
import { findCallable, startRun } from "../../prediction/start.ts";
import { waitForCaller } from "../../prediction/wait.ts";
import type { StreamEvent } from "../../stream/event.ts";
import { follow, type FrameRenderer } from "../../stream/follow.ts";
import { inShape, type ShapeRenderer } from "../../stream/shape.ts";
import type { Usage } from "../../usage/usage.ts";
import { passThrough } from "../pass-through.ts";
import { chunkNotice, isTakeOver } from "../take-over-frames.ts";
import { assertOneAnswer, isStreamed, renderFailure, requireModel, wantsUsage } from "./chat.ts";
import { usageBody } from "./chat-frames.ts";

/** Prompts in one call; each is a prediction of its own. */
const promptsMax = 16;

interface Completion {
  readonly run: Run;
  readonly request: ChatRequest;
  /** What `echo` puts before the answer. */
  readonly echo: string;
}

interface Head {
  readonly id: string;
  readonly object: "text_completion";
  /** Seconds since the epoch. */
  readonly created: number;
  /** The model as the caller named it. */
  readonly model: string;
}

/** `POST /v1/completions`: OpenAI's older call. A model that takes a prompt gets it as it is, any other as a message. */
export async function completions(call: Call, services: Services): Promise<void> {
  allowMethods(call, "POST");
  const bytes = await readBody(call.request);
  if (await passThrough(call, services, { format: "completions", body: bytes, renderFailure })) {
    return;
  }
  const body = parseJsonObject(bytes);
  const model = requireModel(body);
  assertOneAnswer(body);
  const isStream = isStreamed(body);
  const requests = readPrompts(body).map((prompt) => toRequest(body, prompt));
  if (isStream && requests.length > 1) {
    throw refused("prompt", "A stream takes one prompt; send a call for each.");
  }
  const completing = start(call, services, {
    model,
    requests,
    isEchoed: body["echo"] === true,
    isWhole: !isStream,
  });
  const [first] = completing;
  if (first === undefined) return;
  const head: Head = {
    id: `cmpl-${first.run.id}`,
    object: "text_completion",
    created: Math.floor(services.clock() / 1000),
    model,
  };
  if (!isStream) {
    await complete(call, head, completing);
    return;
  }
  await follow({
    run: first.run,
    response: call.response,
    ...inShape(completionShape, {
      run: first.run,
      facts: {
        ...leanRequest(first.request),
        head,
        echo: first.echo,
        includeUsage: wantsUsage(body),
      },
      services,
    }),
    deadlines: services.deadlines,
    commitOn: "output",
    signal: call.signal,
  });
}

function readPrompts(body: ChatRequest): readonly string[] {
  const { prompt } = body;
  if (typeof prompt === "string") return [prompt];
  const isList = Array.isArray(prompt) && prompt.length > 0;
  if (!isList || !prompt.every((item) => typeof item === "string")) {
    throw new GatewayError(
      "invalid_request",
      "prompt must be a string or a list of strings; lists of tokens are not taken.",
      { parameter: "prompt" },
    );
  }
  if (prompt.length <= promptsMax) return prompt;
  throw refused("prompt", `One call takes at most ${promptsMax} prompts.`);
}

/** What is asked of the model for one prompt; `echo` and the rest is the gateway's own. */
function toRequest(body: ChatRequest, prompt: string): ChatRequest {
  const { best_of: bestOf, suffix } = body;
  if (bestOf !== undefined && bestOf !== null && bestOf !== 1) {
    throw refused("best_of", "One call gives one answer: best_of can only be 1.");
  }
  const own = new Set(["echo", "best_of", "logprobs", ...(suffix === "" ? ["suffix"] : [])]);
  const rest = Object.entries(body).filter(([name]) => !own.has(name));
  return { ...Object.fromEntries(rest), prompt };
}

function refused(parameter: string, message: string): GatewayError {
  return new GatewayError("unsupported_parameter", message, { parameter });
}

/** Begins a prediction for each prompt, or for none of them. */
function start(
  call: Call,
  services: Services,
  options: {
    readonly model: string;
    readonly requests: readonly ChatRequest[];
    readonly isEchoed: boolean;
    readonly isWhole: boolean;
  },
): readonly Completion[] {
  const found = findCallable(call, services, options.model);
  const inputs = options.requests.map((request) => ({
    request,
    input: chatInput(found.entry, request, { isRaw: true }),
  }));
  const begun: Completion[] = [];
  try {
    for (const { request, input } of inputs) {
      const run = startRun(call, services, {
        model: found,
        input,
        isWhole: options.isWhole,
        inputFor: (entry) => chatInput(entry, request, { isRaw: true }),
      });
      const echo = options.isEchoed ? String(request["prompt"]) : "";
      begun.push({ run, request, echo });
    }
  } catch (error) {
    for (const { run } of begun) run.cancel();
    throw error;
  }
  return begun;
}

async function complete(call: Call, head: Head, completing: readonly Completion[]): Promise<void> {
  let results: readonly (ChatResult & { readonly echo: string })[];
  try {
    results = await Promise.all(
      completing.map(async ({ run, request, echo }) => {
        const outcome = await waitForCaller(run, call.signal);
        if (outcome.failure !== undefined) throw outcome.failure;
        return { ...createChatReader(run, { request }).finish(outcome).result, echo };
      }),
    );
  } catch (error) {
    for (const { run } of completing) run.cancel();
    throw error;
  }
  const usage = results.map((result) => result.usage).reduce(addUsage);
  const [first] = completing;
  sendJson(call.response, {
    body: {
      ...head,
      choices: results.map(({ text, echo, finishReason }, index) =>
        choice(echo + text, finishReason, index),
      ),
      usage: usageBody(usage),
    },
    headers: {
      ...(first === undefined ? {} : startHeaders(first.run)),
      ...(usage.isEstimated ? { "x-byom-usage": "estimated" } : {}),
    },
  });
}

interface CompletionStream extends LeanRequest {
  readonly head: Head;
  readonly echo: string;
  readonly includeUsage: boolean;
}

/** A completion's stream as it can be written again. */
export const completionShape: ShapeRenderer<CompletionStream> = {
  name: "openai-completion",
  create: completionFrames,
};

function completionFrames(run: Run, options: CompletionStream): FrameRenderer {
  const { head, echo } = options;
  let reader = createChatReader(run, options);
  const chunk = (text: string, reason: string | null): string =>
    `data: ${JSON.stringify({
      ...head,
      choices: [choice(text, reason, 0)],
      ...(options.includeUsage ? { usage: null } : {}),
    })}\n\n`;
  const closing = (): string => {
    const { outcome } = run;
    if (outcome === undefined) return "";
    if (outcome.failure !== undefined) {
      return renderFailure(outcome.failure);
    }
    const { deltas, result } = reader.finish(outcome);
    const rest = deltas.map((delta) => (delta.type === "text" ? chunk(delta.text, null) : ""));
    const counted = options.includeUsage
      ? `data: ${JSON.stringify({ ...head, choices: [], usage: usageBody(result.usage) })}\n\n`
      : "";
    return `${rest.join("")}${chunk("", result.finishReason)}${counted}data: [DONE]\n\n`;
  };
  return {
    opening: () => (echo === "" ? "" : chunk(echo, null)),
    render: (event: StreamEvent) => {
      if (event.kind === "completed" || event.kind === "error") return closing();
      if (isTakeOver(event)) {
        if (event.kind === "restart") reader = createChatReader(run, options);
        return chunkNotice(event, head);
      }
      const texts = reader.read(event);
      return texts.map((delta) => (delta.type === "text" ? chunk(delta.text, null) : "")).join("");
    },
  };
}

function choice(text: string, reason: string | null, index: number): Record<string, unknown> {
  return { index, text, logprobs: null, finish_reason: reason };
}

function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    isEstimated: a.isEstimated || b.isEstimated,
  };
}
