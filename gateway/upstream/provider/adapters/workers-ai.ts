import type { ProviderAdapter } from "../adapter.ts";
import { runImageQuestion } from "./image-question.ts";
import { noSuchTask } from "./inputs.ts";
import { runWorkersAiChat } from "./workers-ai-chat.ts";
import {
  runWorkersAiCaption,
  runWorkersAiEmbeddings,
  runWorkersAiImage,
  runWorkersAiSpeech,
  runWorkersAiTranscription,
} from "./workers-ai-media.ts";

/**
 * Cloudflare's Workers AI by its REST API. The base URL names the account, so the operator gives it:
 * `https://api.cloudflare.com/client/v4/accounts/ACCOUNT_ID/ai`.
 */
export const workersAi: ProviderAdapter = {
  id: "workers-ai",
  title: "Workers AI",
  source: {
    document:
      "cloudflare/cloudflare-docs src/content/workers-ai-models/*.json (input and output schemas), npm cloudflare 7.3.0",
    date: "2026-09-23",
  },
  authorize: (key) => ({ authorization: `Bearer ${key}` }),
  wirePaths: { "chat-completions": "/v1/chat/completions", embeddings: "/v1/embeddings" },
  async run(call) {
    switch (call.task) {
      case "text-generation":
        return runWorkersAiChat(call);
      case "image-to-text":
        return isCaptioner(call.model)
          ? runWorkersAiCaption(call)
          : runImageQuestion(call, runWorkersAiChat);
      case "text-embeddings":
        return runWorkersAiEmbeddings(call);
      case "text-to-image":
      case "image-to-image":
        return runWorkersAiImage(call);
      case "text-to-speech":
        return runWorkersAiSpeech(call);
      case "automatic-speech-recognition":
        return runWorkersAiTranscription(call);
      default:
        throw noSuchTask(call);
    }
  },
};

/** Models that take an image and no chat. */
function isCaptioner(model: string): boolean {
  return /llava|uform/.test(model);
}
