import { randomUUID } from "node:crypto";

import type {
  ProviderAdapter,
  ProviderCall,
  ProviderHttp,
  ProviderRequest,
  ProviderResult,
} from "../adapter.ts";
import { fileName, parseDataUri } from "../data-uri.ts";
import { FormBody, type FormPart } from "../form.ts";
import { numberAt, promised, textAt } from "./answer.ts";
import { given, hasImage, Inputs, noSuchTask } from "./inputs.ts";
import { pollJob, type JobState } from "./poll-job.ts";

/** PixVerse names none; its clips take half a minute and more. */
const pollIntervalMs = 5_000;

/** What PixVerse requires and the standard inputs leave open. */
const durationDefaultSeconds = 5;
const qualityDefault = "720p";
const aspectRatioDefault = "16:9";

/** From v5.5 on: sound comes from a switch of its own, and there is no text for what is not wanted. */
const isOlder = /^v(?:3\.5|4|4\.5|5)$/;

/** Of the codes in an answer's body; everything else from 500000 on is a fault of the service. */
const statusByCode: Readonly<Record<number, number>> = {
  10003: 401,
  10005: 401,
  500020: 403,
  500043: 402,
  500044: 429,
  500052: 422,
  500054: 422,
  500063: 422,
  500069: 429,
  500090: 402,
};

/** PixVerse: videos from a text, a first image, or a first and a last one. It publishes no way to cancel one. */
export const pixverse: ProviderAdapter = {
  id: "pixverse",
  title: "PixVerse",
  baseUrl: "https://app-api.pixverse.ai/openapi/v2",
  source: {
    document:
      "docs.platform.pixverse.ai (OpenAPI): text-to-video, image-to-video, transition, upload-image, status; error codes",
    date: "2026-08-13",
  },
  authorize: (key) => ({ "api-key": key }),
  async run(call) {
    if (call.task !== "text-to-video" && call.task !== "image-to-video") throw noSuchTask(call);
    return hasImage(call) ? imageToVideo(call) : textToVideo(call);
  },
};

function textToVideo(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  if (!isOlder.test(call.model)) input.refuse("negative_prompt", "only models up to v5 have it");
  const body = {
    ...common(call, input),
    prompt: input.required("prompt"),
    aspect_ratio: input.text("aspect_ratio") ?? aspectRatioDefault,
  };
  input.finish();
  return generate(call, "/video/text/generate", body);
}

async function imageToVideo(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const first = input.required("image");
  const last = input.text("last_image");
  input.refuse("aspect_ratio", "the image sets it");
  // The transition between two images has no such input.
  if (last !== undefined) input.refuse("negative_prompt", "not between two images");
  const body = { ...common(call, input), prompt: input.text("prompt") ?? "" };
  input.finish();
  const firstId = await upload(call, first);
  if (last === undefined)
    return generate(call, "/video/img/generate", { ...body, img_id: firstId });
  const lastId = await upload(call, last);
  const frames = { first_frame_img: firstId, last_frame_img: lastId };
  return generate(call, "/video/transition/generate", { ...body, ...frames });
}

function common(call: ProviderCall, input: Inputs): Readonly<Record<string, unknown>> {
  const soundName = isOlder.test(call.model) ? "sound_effect_switch" : "generate_audio_switch";
  return given({
    model: call.model,
    duration: input.number("duration") ?? durationDefaultSeconds,
    quality: input.text("resolution") ?? qualityDefault,
    negative_prompt: input.text("negative_prompt"),
    seed: input.number("seed"),
    [soundName]: input.flag("audio"),
  });
}

/** PixVerse fetches public URLs itself; what comes inline is sent along. */
async function upload({ http }: ProviderCall, image: string): Promise<number> {
  const file = parseDataUri(image);
  const part: FormPart =
    file === undefined
      ? { name: "image_url", value: image }
      : {
          name: "image",
          fileName: fileName("image", file.contentType),
          contentType: file.contentType,
          bytes: file.bytes,
        };
  const request = { method: "POST", path: "/image/upload", body: new FormBody([part]) } as const;
  const answer = await ask(http, request);
  return promised(numberAt(answer, "img_id"), http, "img_id");
}

async function generate(
  call: ProviderCall,
  path: string,
  body: Readonly<Record<string, unknown>>,
): Promise<ProviderResult> {
  const { http } = call;
  const created = await ask(http, { method: "POST", path, body });
  const id = promised(textAt(created, "video_id"), http, "video_id");
  const resultPath = `/video/result/${encodeURIComponent(id)}`;
  const video = await pollJob(call, {
    id,
    intervalMs: pollIntervalMs,
    look: async () => readVideo(await ask(http, { method: "GET", path: resultPath })),
  });
  const url = promised(textAt(video, "url"), http, "url of the video");
  return { output: [url], metrics: given({ videos: 1, seconds: numberAt(body, "duration") }) };
}

function readVideo(video: unknown): JobState<unknown> {
  switch (numberAt(video, "status")) {
    case 1:
      return { state: "done", result: video };
    case 6:
      return { state: "failed", why: "it was deleted at PixVerse (status 6)" };
    case 7:
      return { state: "failed", why: "content moderation refused it (status 7)" };
    case 8:
      return { state: "failed", why: "the generation failed (status 8)" };
    default:
      return { state: "waiting", said: "generating" };
  }
}

/**
 * Sends a request and opens the envelope of the answer, whose code says what the HTTP status does not. The trace id must
 * be a new one each time: a repeated one does not make a new video.
 */
async function ask(http: ProviderHttp, request: ProviderRequest): Promise<unknown> {
  const { body } = await http.json({ ...request, headers: { "ai-trace-id": randomUUID() } });
  const code = numberAt(body, "ErrCode") ?? numberAt(body, "err_code") ?? 0;
  if (code === 0) return (body as { readonly Resp?: unknown }).Resp;
  const message = textAt(body, "ErrMsg") ?? textAt(body, "err_msg") ?? "";
  const status = statusByCode[code] ?? (code >= 400_000 && code < 500_000 ? 400 : 500);
  throw http.failure(status, { message: `${message} (${code})` });
}
