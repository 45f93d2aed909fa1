import type { ProviderAdapter } from "../adapter.ts";
import { alibabaImage } from "./alibaba-image.ts";
import { alibabaSpeech, alibabaTranscript } from "./alibaba-speech.ts";
import { alibabaVideo } from "./alibaba-video.ts";
import { noSuchTask } from "./inputs.ts";
import { runOpenAiTask } from "./openai-compatible.ts";
import { underPath } from "./under-path.ts";

/** Where DashScope serves OpenAI's shapes. */
const compatiblePath = "/compatible-mode/v1";

/** Alibaba Cloud Model Studio (DashScope), its Singapore region: Qwen's chats, embeddings, speech and images, Wan's images and videos. */
export const alibaba: ProviderAdapter = {
  id: "alibaba",
  title: "Alibaba Cloud",
  baseUrl: "https://dashscope-intl.aliyuncs.com",
  source: {
    document:
      "alibabacloud.com/help/en/model-studio: text-to-video, image-to-video-general, wan3-video, happyhorse, wan image generation and editing, text-to-image-v2, qwen-tts, qwen-asr, manage-asynchronous-tasks; @ai-sdk/alibaba 1.0.61",
    date: "2026-11-20",
  },
  authorize: (key) => ({ authorization: `Bearer ${key}` }),
  wirePaths: {
    "chat-completions": `${compatiblePath}/chat/completions`,
    embeddings: `${compatiblePath}/embeddings`,
  },
  run(call) {
    switch (call.task) {
      case "text-generation":
      case "image-to-text":
      case "text-embeddings":
        return runOpenAiTask(underPath(call, compatiblePath), {
          tokenLimitName: "max_tokens",
          takesMore: true,
        });
      case "text-to-image":
      case "image-to-image":
        return alibabaImage(call);
      case "text-to-video":
      case "image-to-video":
        return alibabaVideo(call);
      case "text-to-speech":
        return alibabaSpeech(call);
      case "automatic-speech-recognition":
        return alibabaTranscript(call);
      default:
        return Promise.reject(noSuchTask(call));
    }
  },
};
