import { isObject } from "../../../http/body.ts";
import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { brokenAnswer, cutStream } from "../failure.ts";
import { wireUsage } from "../wire-format.ts";
import { at, listAt, textAt } from "./answer.ts";
import { ChatOutput } from "./chat-output.ts";
import { parseEvent } from "./event-json.ts";
import { given } from "./inputs.ts";
import { createOpenAiChunkReader, takeOpenAiChat } from "./openai-chat.ts";
import { chatMessages } from "./openai-input.ts";
import { runPath, runWorkersAi } from "./workers-ai-run.ts";

/**
 * A chat. Older models answer `{response, tool_calls, usage}`, newer ones a chat completion; both are understood, plain
 * and streamed. What an input means is the model's business: each has a schema of its own.
 */
export async function runWorkersAiChat(call: ProviderCall): Promise<ProviderResult> {
  const { messages, prompt, system_prompt, ...rest } = call.input;
  const said = chatMessages({ messages, prompt, system_prompt }).map(withContent);
  const body = given({ messages: said, ...rest });
  const output = new ChatOutput(call);
  if (!call.isStreaming) {
    const answer = await runWorkersAi(call, body);
    if (answer.kind !== "result") throw brokenAnswer(call.http.provider, "a file");
    if (at(answer.result, "choices") !== undefined) takeOpenAiChat(call, output, answer.result);
    else takeResponse(output, answer.result, 0);
    return output.result();
  }
  const streamed = { ...body, stream: true, stream_options: { include_usage: true } };
  await readStream(call, output, streamed);
  return output.result();
}

async function readStream(call: ProviderCall, output: ChatOutput, body: unknown): Promise<void> {
  const reader = createOpenAiChunkReader(call, output);
  let calls = 0;
  for await (const { data } of call.http.events({ method: "POST", path: runPath(call), body })) {
    const isJson = data.trim() !== "[DONE]";
    const chunk = isJson ? parseEvent(call.http.provider, data) : undefined;
    if (listAt(chunk, "errors").length > 0) throw call.http.failure(500, chunk);
    if (isObject(chunk) && !Object.hasOwn(chunk, "choices") && !Object.hasOwn(chunk, "error")) {
      calls = takeResponse(output, chunk, calls);
    } else {
      reader.read(data);
    }
  }
  if (!reader.isComplete) throw cutStream(call.http.provider);
}

/** An answer, or a piece of one, of the older models; returns how many tools have been called. */
function takeResponse(output: ChatOutput, result: unknown, callsBefore: number): number {
  const response = at(result, "response");
  if (typeof response === "string") output.text(response);
  // JSON mode answers with the value itself.
  else if (response !== undefined) output.text(JSON.stringify(response));
  const calls = listAt(result, "tool_calls");
  calls.forEach((called, position) => {
    const given = at(called, "arguments") ?? at(called, "function.arguments") ?? {};
    output.toolCall({
      index: callsBefore + position,
      id: textAt(called, "id"),
      name: textAt(called, "name") ?? textAt(called, "function.name"),
      arguments: typeof given === "string" ? given : JSON.stringify(given),
    });
  });
  const usage = at(result, "usage");
  if (isObject(usage)) output.count(wireUsage("chat-completions", usage));
  return callsBefore + calls.length;
}

/** The older models want a text in every message, also where only tools were called. */
function withContent(message: unknown): unknown {
  if (!isObject(message) || (message["content"] ?? undefined) !== undefined) return message;
  return { ...message, content: "" };
}
