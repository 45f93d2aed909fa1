import type { ProviderAdapter, ProviderCall, ProviderResult } from "../adapter.ts";
import { promisedSome, textsAt } from "./answer.ts";
import { given, Inputs, noSuchTask } from "./inputs.ts";
import { checkBaseResponse } from "./minimax-error.ts";
import { minimaxSpeech } from "./minimax-speech.ts";
import { minimaxVideo } from "./minimax-video.ts";
import { runOpenAiTask } from "./openai-compatible.ts";
import { underPath } from "./under-path.ts";

/** MiniMax: chat, speech, images, and videos as tasks that are polled. */
export const minimax: ProviderAdapter = {
  id: "minimax",
  title: "MiniMax",
  baseUrl: "https://api.minimax.io",
  source: {
    document:
      "platform.minimax.io/docs/api-reference (OpenAPI): t2a_v2, image_generation, video_generation v1 and v2, query, files/retrieve, errorcode",
    date: "2026-10-05",
  },
  authorize: (key) => ({ authorization: `Bearer ${key}` }),
  // No wire paths: an answer with status 200 may still be a refusal, which must not pass through as an answer.
  run(call) {
    switch (call.task) {
      case "text-generation":
      case "image-to-text":
        return runOpenAiTask(underPath(call, "/v1", checkBaseResponse), {
          tokenLimitName: "max_tokens",
          takesMore: true,
        });
      case "text-to-speech":
        return minimaxSpeech(call);
      case "text-to-image":
      case "image-to-image":
        return image(call);
      case "text-to-video":
      case "image-to-video":
        return minimaxVideo(call);
      default:
        return Promise.reject(noSuchTask(call));
    }
  },
};

async function image(call: ProviderCall): Promise<ProviderResult> {
  const { http } = call;
  const input = new Inputs(call);
  const size = input.size();
  if (size !== undefined) input.refuse("aspect_ratio", "size says it already");
  // The person in the image is what MiniMax keeps: its only use of one.
  const subjects = input.texts("image");
  const body = given({
    model: call.model,
    prompt: input.required("prompt"),
    aspect_ratio: input.text("aspect_ratio"),
    width: size?.width,
    height: size?.height,
    n: input.number("n"),
    seed: input.number("seed"),
    response_format: "url",
    subject_reference:
      subjects.length === 0
        ? undefined
        : subjects.map((image_file) => ({ type: "character", image_file })),
  });
  input.finish();
  const answer = await http.json({ method: "POST", path: "/v1/image_generation", body });
  checkBaseResponse(http, answer.body);
  const output = promisedSome(textsAt(answer.body, "data.image_urls"), http, "images");
  return { output, metrics: { images: output.length } };
}
