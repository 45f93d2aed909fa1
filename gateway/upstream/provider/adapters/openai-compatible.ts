import type { ProviderAdapter, ProviderCall, ProviderResult } from "../adapter.ts";
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
        : runOpenAiChat(call, {
            path: "/chat/completions",
            body: openAiChatBody(call, dialectOfServer),
          });
    case "image-to-text":
      return describeImage(call, dialectOfServer);
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

/** A question about one image is a chat; its answer is one text. */
async function describeImage(
  call: ProviderCall,
  dialectOfServer: OpenAiDialect,
): Promise<ProviderResult> {
  const { image, prompt = "Describe this image.", ...rest } = call.input;
  const content = [
    { type: "text", text: prompt },
    { type: "image_url", image_url: { url: image } },
  ];
  const asked = { ...rest, messages: [{ role: "user", content }] };
  const chat = { ...call, input: asked, isStreaming: false, emit: () => undefined };
  const body = openAiChatBody(chat, dialectOfServer);
  const { output, metrics } = await runOpenAiChat(chat, { path: "/chat/completions", body });
  const pieces = (output as readonly unknown[]).filter((piece) => typeof piece === "string");
  return { output: pieces.join(""), metrics };
}
