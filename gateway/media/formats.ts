import type { CatalogEntry, RequestFormat, Task } from "../catalog/entry.ts";
import { embeddingCalls } from "./embeddings.ts";
import { imageInputs } from "./images.ts";
import { speechInput } from "./speech.ts";
import { transcriptionInput } from "./transcription.ts";

/** By task: the shape in which such a model can be called, and the plainest call of it. */
const calls: Readonly<
  Partial<Record<Task, readonly [RequestFormat, (entry: CatalogEntry) => unknown]>>
> = {
  "text-embeddings": ["embeddings", (entry) => embeddingCalls(entry, { input: "text" })],
  "text-to-image": ["images", (entry) => imageInputs(entry, { prompt: "text" })],
  "image-to-image": [
    "images",
    (entry) => imageInputs(entry, { prompt: "text", images: ["data:,"] }),
  ],
  "text-to-speech": ["speech", (entry) => speechInput(entry, { text: "text" })],
  "automatic-speech-recognition": [
    "transcriptions",
    (entry) =>
      transcriptionInput(entry, { audio: "data:,", isTranslation: false, timestamps: "none" }),
  ],
};

/** The shapes of vectors, images and sound in which a model can be called: those of its task, if its inputs fit. */
export function mediaFormats(entry: CatalogEntry): readonly RequestFormat[] {
  const call = calls[entry.task];
  if (call === undefined) return [];
  const [format, tryCall] = call;
  try {
    tryCall(entry);
    return [format];
  } catch {
    // The refusal says what the model lacks; here it is only that it does.
    return [];
  }
}
