import { noSuchPath, type Call, type Services, type Surface } from "../../http/call.ts";
import { createSpeech } from "./audio.ts";
import { anthropicError, anthropicStatus } from "../anthropic/errors.ts";
import { isAnthropicCall } from "../anthropic/models.ts";
import { chatCompletions } from "./chat.ts";
import { completions } from "./completions.ts";
import { embeddings } from "./embeddings.ts";
import { openAiError } from "./errors.ts";
import { editImages, generateImages } from "./images.ts";
import { listModels, showModel } from "./models.ts";
import { handleResponses } from "./responses/routes.ts";
import { createTranscription } from "./transcriptions.ts";

type Handler = (call: Call, services: Services) => void | Promise<void>;

/** Paths under `/v1` that are one fixed name. */
const handlers: Readonly<Record<string, Handler>> = {
  "chat/completions": chatCompletions,
  completions,
  embeddings,
  "images/generations": generateImages,
  "images/edits": editImages,
  "audio/speech": createSpeech,
  "audio/transcriptions": (call, services) =>
    createTranscription(call, services, { isTranslation: false }),
  "audio/translations": (call, services) =>
    createTranscription(call, services, { isTranslation: true }),
  models: listModels,
};

/** OpenAI's API under `/v1`; it also owns every `/v1` path that no other surface knows. */
export function createOpenAiSurface(services: Services): Surface {
  return {
    name: "openai",
    owns: (segments) => segments[0] === "v1",
    async handle(call) {
      const [, resource, ...rest] = call.segments;
      const path = [resource, ...rest].join("/");
      const handler = Object.hasOwn(handlers, path) ? handlers[path] : undefined;
      if (handler !== undefined) await handler(call, services);
      else if (resource === "responses") await handleResponses(call, services);
      else if (resource === "models" && rest.length > 0) showModel(call, services, rest.join("/"));
      else throw noSuchPath(call);
    },
    renderError: (error, call) =>
      call.segments[1] === "models" && isAnthropicCall(call)
        ? { status: anthropicStatus(error), body: anthropicError(error, call.requestId) }
        : { status: error.status, body: openAiError(error) },
  };
}
