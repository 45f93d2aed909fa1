import type { ProviderAdapter } from "../adapter.ts";
import { runOpenAiTask } from "./openai-compatible.ts";
import type { OpenAiDialect } from "./openai-input.ts";
import { runOpenAiVideo } from "./openai-video.ts";

const dialect: OpenAiDialect = { tokenLimitName: "max_completion_tokens", takesMore: false };

/** OpenAI itself: chats, embeddings, images, speech, transcriptions, videos. */
export const openAi: ProviderAdapter = {
  id: "openai",
  title: "OpenAI",
  baseUrl: "https://api.openai.com/v1",
  source: {
    document: "npm openai 7.57.0 (types of OpenAI's OpenAPI document)",
    date: "2026-11-23",
  },
  authorize: (key) => ({ authorization: `Bearer ${key}` }),
  wirePaths: {
    "chat-completions": "/chat/completions",
    completions: "/completions",
    responses: "/responses",
    embeddings: "/embeddings",
  },
  run: (call) =>
    call.task === "text-to-video" || call.task === "image-to-video"
      ? runOpenAiVideo(call)
      : runOpenAiTask(call, dialect),
};
