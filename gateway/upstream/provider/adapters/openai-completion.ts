import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { cutStream } from "../failure.ts";
import { at, textAt } from "./answer.ts";
import { ChatOutput } from "./chat-output.ts";
import { createOpenAiChunkReader } from "./openai-chat.ts";
import { openAiCompletionBody, type OpenAiDialect } from "./openai-input.ts";
import { parseEvent } from "./event-json.ts";

/** `POST /completions`, streamed: text that goes on from a prompt. */
export async function runOpenAiCompletion(
  call: ProviderCall,
  dialect: OpenAiDialect,
): Promise<ProviderResult> {
  const output = new ChatOutput(call);
  const reader = createOpenAiChunkReader(call, output);
  const body = {
    ...openAiCompletionBody(call, dialect),
    stream: true,
    stream_options: { include_usage: true },
  };
  for await (const { data } of call.http.events({ method: "POST", path: "/completions", body })) {
    if (data.trim() !== "[DONE]") {
      const chunk = parseEvent(call.http.provider, data);
      if (at(chunk, "error") === undefined) output.text(textAt(chunk, "choices.0.text") ?? "");
    }
    reader.read(data);
  }
  if (!reader.isComplete) throw cutStream(call.http.provider);
  return output.result();
}
