import type { ProviderAdapter, ProviderCall, ProviderResult } from "../adapter.ts";
import { runImageQuestion } from "./image-question.ts";
import { noSuchTask } from "./inputs.ts";
import { runOpenAiChat } from "./openai-chat.ts";
import { runOpenAiCompletion } from "./openai-completion.ts";
import { openAiChatBody, type OpenAiDialect } from "./openai-input.ts";
import {
  runOpenAiEmbeddings,
  runOpenAiImageEdit,
  runOpenAiImages,
  runOpenAiSpeech,
  runOpenAiTranscription,
} from "./openai-media.ts";

const dialect: OpenAiDialect = { tokenLimitName: "max_tokens", takesMore: true };

/** Any server that speaks OpenAI's shapes: vLLM, SGLang, llama.cpp, Ollama, a gateway, or another vendor. */
export const openAiCompatible: ProviderAdapter = {
  id: "openai-compatible",
  title: "OpenAI-compatible",
  source: {
    document: "OpenAI API (npm openai 7.57.0), as vLLM and llama.cpp serve it",
    date: "2026-11-23",
  },
  authorize: (key) => ({ authorization: `Bearer ${key}` }),
  wirePaths: {
    "chat-completions": "/chat/completions",
    completions: "/completions",
    embeddings: "/embeddings",
  },
  run: (call) => runOpenAiTask(call, dialect),
};

/** One call in OpenAI's shapes, by its task. */
export function runOpenAiTask(
  call: ProviderCall,
  dialectOfServer: OpenAiDialect,
): Promise<ProviderResult> {
  switch (call.task) {
    case "text-generation":
      return isCompletionOnly(call)
        ? runOpenAiCompletion(call, dialectOfServer)
        : runChat(call, dialectOfServer);
    case "image-to-text":
      return runImageQuestion(call, (chat) => runChat(chat, dialectOfServer));
    case "text-embeddings":
      return runOpenAiEmbeddings(call, dialectOfServer);
    case "text-to-image":
      return runOpenAiImages(call, dialectOfServer);
    case "image-to-image":
      return runOpenAiImageEdit(call, dialectOfServer);
    case "text-to-speech":
      return runOpenAiSpeech(call, dialectOfServer);
    case "automatic-speech-recognition":
      return runOpenAiTranscription(call, dialectOfServer);
    default:
      return Promise.reject(noSuchTask(call));
  }
}

/** Base models, which the catalog offers for completions and not for chats. */
function isCompletionOnly({ requestFormats = [] }: ProviderCall): boolean {
  return requestFormats.includes("completions") && !requestFormats.includes("chat-completions");
}

function runChat(call: ProviderCall, dialectOfServer: OpenAiDialect): Promise<ProviderResult> {
  const body = openAiChatBody(call, dialectOfServer);
  return runOpenAiChat(call, { path: "/chat/completions", body });
}
