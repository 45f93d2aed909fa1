import type { ProviderAdapter, ProviderCall, ProviderResult } from "../adapter.ts";
import { cutStream } from "../failure.ts";
import { ChatOutput } from "./chat-output.ts";
import { createGeminiReader } from "./google-answer.ts";
import { geminiChatBody } from "./google-input.ts";
import { runGeminiEmbeddings, runGeminiImage, runGeminiSpeech, runImagen } from "./google-media.ts";
import { runVeo } from "./google-video.ts";
import { runImageQuestion } from "./image-question.ts";
import { noSuchTask } from "./inputs.ts";

/** Google's Gemini API: Gemini's chats, images and speech, embeddings, Imagen, Veo. */
export const google: ProviderAdapter = {
  id: "google",
  title: "Google",
  baseUrl: "https://generativelanguage.googleapis.com/v1beta",
  source: {
    document: "googleapis/js-genai 2.18.0 (converters for the Gemini API), ai.google.dev/api",
    date: "2026-08-21",
  },
  authorize: (key) => ({ "x-goog-api-key": key }),
  async run(call) {
    switch (call.task) {
      case "text-generation":
        return runChat(call);
      case "image-to-text":
        return runImageQuestion(call, runChat);
      case "text-embeddings":
        return runGeminiEmbeddings(call);
      case "text-to-image":
        return call.model.startsWith("imagen") ? runImagen(call) : runGeminiImage(call);
      case "image-to-image":
        return runGeminiImage(call);
      case "text-to-speech":
        return runGeminiSpeech(call);
      case "text-to-video":
      case "image-to-video":
        return runVeo(call);
      default:
        throw noSuchTask(call);
    }
  },
};

async function runChat(call: ProviderCall): Promise<ProviderResult> {
  const output = new ChatOutput(call);
  const reader = createGeminiReader(call, output);
  const stream = call.http.events({
    method: "POST",
    path: `/models/${encodeURIComponent(call.model)}:streamGenerateContent?alt=sse`,
    body: await geminiChatBody(call),
  });
  for await (const { data } of stream) reader.read(data);
  if (!reader.isComplete) throw cutStream(call.http.provider);
  return output.result();
}
