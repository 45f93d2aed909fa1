import type { ProviderAdapter, ProviderCall, ProviderResult } from "../adapter.ts";
import { cutStream } from "../failure.ts";
import { anthropicBody, anthropicVersion } from "./anthropic-input.ts";
import { createAnthropicReader } from "./anthropic-events.ts";
import { ChatOutput } from "./chat-output.ts";
import { runImageQuestion } from "./image-question.ts";
import { noSuchTask } from "./inputs.ts";

/** Anthropic's Messages API, always streamed: its long answers would run into time limits otherwise. */
export const anthropic: ProviderAdapter = {
  id: "anthropic",
  title: "Anthropic",
  baseUrl: "https://api.anthropic.com/v1",
  source: {
    document:
      "npm @anthropic-ai/sdk 1.12.0 (types of the Messages API); platform.claude.com migration guide 2026-10-21",
    date: "2026-11-20",
  },
  authorize: (key) => ({ "x-api-key": key }),
  wirePaths: { messages: "/messages" },
  // The version whose parameters are a superset, for callers who name none.
  wireHeaders: { "anthropic-version": "2023-06-01" },
  async run(call) {
    if (call.task === "text-generation") return runChat(call);
    if (call.task === "image-to-text") return runImageQuestion(call, runChat);
    throw noSuchTask(call);
  },
};

async function runChat(call: ProviderCall): Promise<ProviderResult> {
  const output = new ChatOutput(call);
  const reader = createAnthropicReader(call, output);
  const stream = call.http.events({
    method: "POST",
    path: "/messages",
    headers: { "anthropic-version": anthropicVersion(call) },
    body: { ...anthropicBody(call), stream: true },
  });
  for await (const event of stream) reader.read(event);
  if (!reader.isComplete) throw cutStream(call.http.provider);
  return output.result();
}
