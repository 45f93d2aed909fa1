import { z } from "zod";

import {
  json,
  startProviderDouble,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";
import { steps } from "./steps.ts";

/** The trace id is a UUID, and a new one each time: PixVerse makes nothing new for a repeated one. */
function traced(): z.ZodType {
  const seen = new Set<string>();
  return z.looseObject({
    "ai-trace-id": z.uuid().refine((id) => !seen.has(id) && seen.add(id) !== undefined, {
      error: "the trace id was used before",
    }),
  });
}

const seed = z.int().min(0).max(2_147_483_647).optional();
const quality = z.enum(["360p", "540p", "720p", "1080p"]);
const text = z.string().max(2_048);

/** The models from v5.5 on, and those before. */
const newer = {
  model: z.enum(["v5.5", "v5.6", "v6", "c1"]),
  duration: z.int().min(1).max(15),
  quality,
  seed,
  generate_audio_switch: z.boolean().optional(),
};
const older = {
  model: z.enum(["v3.5", "v4", "v4.5", "v5"]),
  duration: z.union([z.literal(5), z.literal(8)]),
  quality,
  seed,
  sound_effect_switch: z.boolean().optional(),
};
const ratio = z.enum(["16:9", "4:3", "1:1", "3:4", "9:16"]);

const textToVideo = z.union([
  z.strictObject({
    ...newer,
    prompt: text.min(1),
    aspect_ratio: z.union([ratio, z.enum(["2:3", "3:2", "21:9"])]),
  }),
  z.strictObject({
    ...older,
    prompt: text.min(1),
    aspect_ratio: ratio,
    negative_prompt: text.optional(),
  }),
]);
const imageToVideo = z.union([
  z.strictObject({ ...newer, prompt: text, img_id: z.int(), negative_prompt: text.optional() }),
  z.strictObject({ ...older, prompt: text, img_id: z.int(), negative_prompt: text.optional() }),
]);
const frames = { first_frame_img: z.int(), last_frame_img: z.int() };
const transition = z.union([
  z.strictObject({ ...newer, prompt: text, ...frames }),
  z.strictObject({ ...older, prompt: text, ...frames }),
]);
/** A form with one of the two. */
const upload = z.union([
  z.strictObject({ image_url: z.url() }),
  z.strictObject({
    image: z.strictObject({
      fileName: z.string().regex(/\.(?:png|webp|jpe?g)$/),
      contentType: z.enum(["image/jpeg", "image/jpg", "image/png", "image/webp"]),
      bytes: z.instanceof(Buffer),
    }),
  }),
]);

const ok = (Resp: unknown): unknown => ({ ErrCode: 0, ErrMsg: "success", Resp });
const video = {
  create_time: "2026-11-23T12:00:00Z",
  id: 318633193768896,
  modify_time: "2026-11-23T12:00:30Z",
  negative_prompt: "",
  outputHeight: 720,
  outputWidth: 1280,
  prompt: "x",
  resolution_ratio: 720,
  seed: 1,
  size: 1_000,
  style: "",
  url: "",
};
export const pixverseWaiting: unknown = ok({ ...video, status: 5 });
export const pixverseFailed = (status: number): unknown => ok({ ...video, status });
export const pixverseError = (ErrCode: number, ErrMsg: string): unknown => ({
  ErrCode,
  ErrMsg,
  Resp: null,
});

/** PixVerse's open API (docs.platform.pixverse.ai): an envelope with a code around every answer. */
export function startPixverseDouble(): Promise<ProviderDouble> {
  const headers = traced();
  let images = 0;
  const created = (): ReturnType<typeof json> => json(ok({ video_id: video.id }));
  return startProviderDouble({
    basePath: "/openapi/v2",
    key: { "api-key": "test-key-123456" },
    refuse: ({ status, message }) =>
      json(pixverseError(status === 401 ? 10005 : 400017, message), { status: 200 }),
    routes: [
      {
        method: "POST",
        path: "/image/upload",
        headers,
        body: upload,
        answer: () => json(ok({ img_id: (images += 1), img_url: "https://media.pixverse.ai/i" })),
      },
      { method: "POST", path: "/video/text/generate", headers, body: textToVideo, answer: created },
      { method: "POST", path: "/video/img/generate", headers, body: imageToVideo, answer: created },
      {
        method: "POST",
        path: "/video/transition/generate",
        headers,
        body: transition,
        answer: created,
      },
      {
        method: "GET",
        path: "/video/result/{id}",
        headers,
        answer: steps([
          pixverseWaiting,
          ok({ ...video, status: 1, url: "https://media.pixverse.ai/v.mp4" }),
        ]),
      },
    ],
  });
}
