import { z } from "zod";

import {
  fail,
  json,
  sse,
  startProviderDouble,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";
import { answerCompatibleChat, compatibleChat } from "./openai-chat-part.ts";
import { steps } from "./steps.ts";

const speechShared = {
  model: z.enum(["speech-2.8-hd", "speech-2.8-turbo", "speech-2.6-hd", "speech-02-hd"]),
  text: z.string().min(1).max(10_000),
  voice_setting: z.strictObject({
    voice_id: z.string(),
    speed: z.number().min(0.5).max(2).optional(),
  }),
  audio_setting: z.strictObject({
    format: z.enum(["mp3", "pcm", "flac", "wav", "pcmu_raw", "pcmu_wav", "opus"]),
    sample_rate: z
      .union([8000, 16_000, 22_050, 24_000, 32_000, 44_100].map((rate) => z.literal(rate)))
      .optional(),
  }),
  language_boost: z
    .enum(["Chinese", "Chinese,Yue", "English", "French", "German", "Japanese", "auto"])
    .optional(),
};
const speech = z.discriminatedUnion("stream", [
  z.strictObject({
    ...speechShared,
    stream: z.literal(false),
    output_format: z.enum(["url", "hex"]),
  }),
  z.strictObject({
    ...speechShared,
    stream: z.literal(true),
    stream_options: z.strictObject({ exclude_aggregated_audio: z.literal(true) }),
  }),
]);

const file = z.string().regex(/^(?:https:\/\/|data:image\/)/);
const side = z.int().min(512).max(2048).multipleOf(8).optional();
const image = z
  .strictObject({
    model: z.enum(["image-01", "image-01-live"]),
    prompt: z.string().min(1).max(1_500),
    aspect_ratio: z.enum(["1:1", "16:9", "4:3", "3:2", "2:3", "3:4", "9:16", "21:9"]).optional(),
    width: side,
    height: side,
    response_format: z.enum(["url", "base64"]),
    seed: z.int().optional(),
    n: z.int().min(1).max(9).optional(),
    subject_reference: z
      .array(z.strictObject({ type: z.literal("character"), image_file: file }))
      .optional(),
  })
  .refine(({ width, height }) => (width === undefined) === (height === undefined));

const video = z.strictObject({
  model: z.enum(["MiniMax-Hailuo-2.3", "MiniMax-Hailuo-2.3-Fast", "MiniMax-Hailuo-02"]),
  prompt: z.string().max(2_000).optional(),
  duration: z.union([z.literal(6), z.literal(10)]).optional(),
  resolution: z.enum(["512P", "720P", "768P", "1080P"]).optional(),
  first_frame_image: file.optional(),
  last_frame_image: file.optional(),
});

const text = z.strictObject({ type: z.literal("text"), text: z.string().min(1).max(7_000) });
const frame = z.strictObject({
  type: z.literal("image_url"),
  image_url: z.strictObject({ url: file }),
  role: z.enum(["first_frame", "last_frame"]),
});
const v2 = {
  model: z.literal("MiniMax-H3"),
  resolution: z.enum(["768P", "2K"]),
  duration: z.int().min(4).max(15),
};
/** A text alone must say its shape; images bring theirs. */
const videoV2 = z.union([
  z.strictObject({
    ...v2,
    content: z.tuple([text]),
    ratio: z.enum(["21:9", "16:9", "4:3", "1:1", "3:4", "9:16"]),
  }),
  z.strictObject({
    ...v2,
    content: z.union([z.tuple([text, frame]), z.tuple([text, frame, frame])]),
  }),
]);

const done = { status_code: 0, status_msg: "success" };
const id = "176843862716480";
const seen = { task_id: id, base_resp: done };
export const minimaxWaiting: Readonly<Record<string, unknown>> = { ...seen, status: "Processing" };
const h3 = { id: "424010985738629", model: "MiniMax-H3", resolution: "768P", duration: 5 };
export const minimaxV2Waiting: Readonly<Record<string, unknown>> = {
  task: { ...h3, status: "queued" },
};
/** How MiniMax says no: with a 200. */
export const minimaxError = (status_code: number, status_msg: string): unknown => ({
  base_resp: { status_code, status_msg },
});

/** A sound, or a piece of one (status 1); the last says what was counted. */
export function spoken(sound: string, status: 1 | 2): unknown {
  const counted = { audio_length: 1_250, usage_characters: 12, audio_format: "mp3" };
  return {
    data: { audio: Buffer.from(sound).toString("hex"), status },
    ...(status === 2 ? { extra_info: counted } : {}),
    trace_id: "01b8",
    base_resp: done,
  };
}

/** MiniMax's platform (platform.minimax.io/docs/api-reference). */
export function startMinimaxDouble(): Promise<ProviderDouble> {
  return startProviderDouble({
    key: { authorization: "Bearer test-key-123456" },
    refuse: ({ status, message }) =>
      status === 401
        ? json(minimaxError(1004, message))
        : fail(status, minimaxError(2013, message)),
    routes: [
      {
        method: "POST",
        path: "/v1/chat/completions",
        body: compatibleChat,
        answer: answerCompatibleChat,
      },
      {
        method: "POST",
        path: "/v1/t2a_v2",
        body: speech,
        answer: ({ body }) => {
          if (!(body as { readonly stream: boolean }).stream) return json(spoken("sound", 2));
          return sse([spoken("so", 1), spoken("und", 1), spoken("", 2)]);
        },
      },
      {
        method: "POST",
        path: "/v1/image_generation",
        body: image,
        answer: ({ body }) => {
          const { n = 1 } = body as { readonly n?: number };
          const image_urls = Array.from({ length: n }, (_, index) => `https://i.minimax/${index}`);
          return json({ id: "03ff", data: { image_urls }, metadata: {}, base_resp: done });
        },
      },
      { method: "POST", path: "/v1/video_generation", body: video, answer: () => json(seen) },
      {
        method: "GET",
        path: "/v1/query/video_generation",
        query: z.strictObject({ task_id: z.literal(id) }),
        answer: steps([
          { ...seen, status: "Queueing" },
          minimaxWaiting,
          { ...seen, status: "Success", file_id: "205258526306433", video_width: 1280 },
        ]),
      },
      {
        method: "GET",
        path: "/v1/files/retrieve",
        query: z.strictObject({ file_id: z.literal("205258526306433") }),
        answer: () =>
          json({
            file: { file_id: 205258526306433, download_url: "https://v.minimax/output.mp4" },
            base_resp: done,
          }),
      },
      {
        method: "POST",
        path: "/v2/video_generation",
        body: videoV2,
        answer: () => json({ task_id: h3.id }),
      },
      {
        method: "GET",
        path: "/v2/query/video_generation/{id}",
        answer: steps([
          minimaxV2Waiting,
          {
            task: {
              ...h3,
              status: "succeeded",
              content: { url: "https://v.minimax/h3.mp4" },
              usage: {
                total_seconds: 5,
                output_seconds: 5,
                total_tokens: 260_390,
                prompt_tokens: 0,
                completion_tokens: 260_390,
              },
            },
          },
        ]),
      },
      {
        method: "DELETE",
        path: "/v2/video_generation/{id}",
        answer: () => json({ task_id: h3.id, action: "cancelled" }),
      },
    ],
  });
}
