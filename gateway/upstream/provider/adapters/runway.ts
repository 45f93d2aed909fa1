import type { ProviderAdapter, ProviderCall, ProviderResult } from "../adapter.ts";
import { numberAt, promised, promisedSome, textAt, textsAt } from "./answer.ts";
import { given, hasImage, Inputs, noSuchTask } from "./inputs.ts";
import { pollJob, type JobState } from "./poll-job.ts";

/** "Consumers of this API should not expect updates more frequent than once every five seconds" (tasks.retrieve). */
const pollIntervalMs = 5_000;
/** gen4.5 requires a length: the shorter of the two that Runway's own pages offer. */
const durationDefaultSeconds = 5;

/** Runway names an output's shape by its pixels; these are gen4.5's, which the others share as far as they have them. */
const videoRatios: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "720p": {
    "16:9": "1280:720",
    "9:16": "720:1280",
    "1:1": "960:960",
    "4:3": "1104:832",
    "3:4": "832:1104",
    "21:9": "1584:672",
  },
  "1080p": { "16:9": "1920:1080", "9:16": "1080:1920" },
};
const imageRatios: Readonly<Record<string, string>> = {
  "16:9": "1920:1080",
  "9:16": "1080:1920",
  "1:1": "1024:1024",
  "4:3": "1440:1080",
  "3:4": "1080:1440",
  "21:9": "1680:720",
};

/** Which models have which inputs, by the beginning of their names. */
const takesNegativePrompt = /^veo/;
const takesAudio = /^(?:veo|seedance|wan)/;
const takesVideoSeed = /^(?:gen|veo|seedance|h3_max)/;
/** These take an aspect ratio as such, and a resolution beside it. */
const takesNamedRatio = /^(?:hailuo|grok_imagine_1)/;
const takesImageSeed = /^gen4_image/;
const takesImageCount = /^(?:gpt_image|gemini_image3|muse|seedream|grok)/;
const takesQuality = /^(?:gpt_image|grok)/;
const takesBackground = /^gpt_image/;
const takesImageFormat = /^(?:muse|seedream)/;

/** Runway: images and videos as tasks that are polled. */
export const runway: ProviderAdapter = {
  id: "runway",
  title: "Runway",
  baseUrl: "https://api.dev.runwayml.com/v1",
  source: {
    document: "@runwayml/sdk 4.20.1 (resources/{text-to-video,image-to-video,text-to-image,tasks})",
    date: "2026-11-23",
  },
  authorize: (key) => ({ authorization: `Bearer ${key}`, "x-runway-version": "2024-11-06" }),
  run(call) {
    if (call.task === "text-to-video" || call.task === "image-to-video") return video(call);
    if (call.task === "text-to-image" || call.task === "image-to-image") return image(call);
    return Promise.reject(noSuchTask(call));
  },
};

async function video(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const isImageToVideo = hasImage(call);
  const duration =
    input.number("duration") ?? (call.model === "gen4.5" ? durationDefaultSeconds : undefined);
  if (!takesNegativePrompt.test(call.model)) input.refuse("negative_prompt");
  if (!takesAudio.test(call.model)) input.refuse("audio");
  if (!takesVideoSeed.test(call.model)) input.refuse("seed");
  const body = given({
    model: call.model,
    promptText: input.text("prompt"),
    ...(isImageToVideo ? { promptImage: promptImage(input) } : {}),
    ...videoShape(call, input, isImageToVideo),
    duration,
    negativePrompt: input.text("negative_prompt"),
    audio: input.flag("audio"),
    seed: input.number("seed"),
  });
  input.finish();
  const path = isImageToVideo ? "/image_to_video" : "/text_to_video";
  const { output, credits } = await runTask(call, path, body);
  return { output, metrics: given({ videos: output.length, seconds: duration, credits }) };
}

/** One image is the first frame; with a last one, both say where they belong. */
function promptImage(input: Inputs): unknown {
  const first = input.required("image");
  const last = input.text("last_image");
  if (last === undefined) return first;
  return [
    { uri: first, position: "first" },
    { uri: last, position: "last" },
  ];
}

function videoShape(
  { model }: ProviderCall,
  input: Inputs,
  isImageToVideo: boolean,
): Readonly<Record<string, unknown>> {
  // What is not read here is refused with the rest of the unread inputs.
  if (takesResolutionOnly(model, isImageToVideo)) return { resolution: input.text("resolution") };
  if (takesNamedRatio.test(model)) {
    return { ratio: input.text("aspect_ratio"), resolution: input.text("resolution") };
  }
  const size = input.size();
  if (size !== undefined) {
    input.refuse("aspect_ratio", "size says it already");
    input.refuse("resolution", "size says it already");
    return { ratio: `${size.width}:${size.height}` };
  }
  const isAsked = input.has("aspect_ratio") || input.has("resolution");
  // gen4.5, gen4_turbo and veo require a shape.
  if (!isAsked && !/^(?:gen4|veo)/.test(model)) return {};
  const resolution = input.text("resolution") ?? "720p";
  const aspectRatio = input.text("aspect_ratio") ?? "16:9";
  const ratio = videoRatios[resolution.toLowerCase()]?.[aspectRatio];
  if (ratio === undefined) {
    throw input.wrong("aspect_ratio", `${aspectRatio} at ${resolution} has no size at Runway`);
  }
  return { ratio };
}

/** The shape is the image's, or the model's own. */
function takesResolutionOnly(model: string, isImageToVideo: boolean): boolean {
  return model === "h3_max" || (isImageToVideo && /^(?:happyhorse|grok)/.test(model));
}

async function image(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const references = input.texts("image");
  if (!takesImageSeed.test(call.model)) input.refuse("seed");
  if (!takesImageCount.test(call.model)) input.refuse("n");
  if (!takesQuality.test(call.model)) input.refuse("quality");
  if (!takesBackground.test(call.model)) input.refuse("background");
  if (!takesImageFormat.test(call.model)) input.refuse("output_format");
  const body = given({
    model: call.model,
    promptText: input.required("prompt"),
    ratio: imageRatio(call.model, input),
    referenceImages: references.length === 0 ? undefined : references.map((uri) => ({ uri })),
    seed: input.number("seed"),
    outputCount: input.number("n"),
    quality: input.text("quality"),
    background: input.text("background"),
    outputFormat: input.text("output_format"),
  });
  input.finish();
  const { output, credits } = await runTask(call, "/text_to_image", body);
  return { output, metrics: given({ images: output.length, credits }) };
}

/** Required by every model; each has its own list, so a size goes on as it is and Runway has the last word. */
function imageRatio(model: string, input: Inputs): string {
  const size = input.size();
  if (size !== undefined) {
    input.refuse("aspect_ratio", "size says it already");
    return `${size.width}:${size.height}`;
  }
  const aspectRatio = input.text("aspect_ratio");
  if (aspectRatio !== undefined) {
    const ratio = takesImageSeed.test(model) ? imageRatios[aspectRatio] : undefined;
    if (ratio !== undefined) return ratio;
    throw input.unsupported("aspect_ratio", "give a size in pixels instead");
  }
  if (model.startsWith("gpt_image")) return "1920:1920";
  if (model.startsWith("muse")) return "auto";
  return model === "seedream5_lite" ? "2048:2048" : "1024:1024";
}

async function runTask(
  call: ProviderCall,
  path: string,
  body: Readonly<Record<string, unknown>>,
): Promise<{ readonly output: readonly string[]; readonly credits: number | undefined }> {
  const { http } = call;
  const created = await http.json({ method: "POST", path, body });
  const id = promised(textAt(created.body, "id"), http, "task id");
  const taskPath = `/tasks/${encodeURIComponent(id)}`;
  const task = await pollJob(call, {
    id,
    intervalMs: pollIntervalMs,
    look: async () => readTask((await http.json({ method: "GET", path: taskPath })).body),
    cancel: { method: "DELETE", path: taskPath },
  });
  const output = promisedSome(textsAt(task, "output"), http, "output");
  return { output, credits: numberAt(task, "cost.credits") };
}

function readTask(task: unknown): JobState<unknown> {
  const status = textAt(task, "status") ?? "unknown";
  if (status === "SUCCEEDED") return { state: "done", result: task };
  if (status === "FAILED") {
    const code = textAt(task, "failureCode");
    const why = textAt(task, "failure") ?? "no reason given";
    return { state: "failed", why: code === undefined ? why : `${why} (${code})` };
  }
  if (status === "CANCELLED") return { state: "failed", why: "it was canceled at Runway" };
  const progress = numberAt(task, "progress");
  const share = progress === undefined ? "" : ` ${Math.round(progress * 100)} %`;
  return { state: "waiting", said: `${status.toLowerCase()}${share}` };
}
