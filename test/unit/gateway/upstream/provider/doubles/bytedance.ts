import { z } from "zod";

import {
  fail,
  json,
  startProviderDouble,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";
import {
  answerCompatibleChat,
  answerCompatibleEmbeddings,
  compatibleChat,
  compatibleEmbeddings,
} from "./openai-chat-part.ts";
import { steps } from "./steps.ts";

const url = z.string().regex(/^(?:https:\/\/|data:image\/[a-z]+;base64,)/);

const imageShared = {
  prompt: z.string().min(1),
  image: z.union([url, z.array(url).min(2).max(14)]).optional(),
  size: z
    .string()
    .regex(/^(?:[1-4]K|\d+x\d+)$/)
    .optional(),
  response_format: z.enum(["url", "b64_json"]).optional(),
  watermark: z.boolean().optional(),
};
const format = { output_format: z.enum(["png", "jpeg"]).optional() };
const images = z.discriminatedUnion("model", [
  z.strictObject({
    ...imageShared,
    ...format,
    model: z.literal("dola-seedream-5-0-pro-260628"),
    background: z.enum(["transparent", "opaque"]).optional(),
  }),
  z.strictObject({
    ...imageShared,
    ...format,
    model: z.enum(["seedream-5-0-260128", "seedream-5-0-lite-260128"]),
  }),
  z.strictObject({ ...imageShared, model: z.enum(["seedream-4-5-251128", "seedream-4-0-250828"]) }),
]);

const text = z.strictObject({ type: z.literal("text"), text: z.string().min(1) });
const image = z.strictObject({
  type: z.literal("image_url"),
  image_url: z.strictObject({ url }),
  role: z.enum(["first_frame", "last_frame"]),
});
const videoShared = {
  content: z.array(z.union([text, image])).min(1),
  ratio: z.enum(["16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"]).optional(),
  duration: z.int().min(-1).max(30).optional(),
  watermark: z.boolean().optional(),
};
const sound = { generate_audio: z.boolean().optional() };
const seed = { seed: z.int().min(-1).max(2_147_483_647).optional() };
const resolution = { resolution: z.enum(["480p", "720p", "1080p"]).optional() };
const video = z.discriminatedUnion("model", [
  z.strictObject({
    ...videoShared,
    ...sound,
    model: z.literal("dreamina-seedance-2-0-260128"),
    resolution: z.enum(["480p", "720p", "1080p", "4k"]).optional(),
  }),
  z.strictObject({
    ...videoShared,
    ...sound,
    model: z.enum(["dreamina-seedance-2-0-fast-260128", "dreamina-seedance-2-0-mini-260615"]),
    resolution: z.enum(["480p", "720p"]).optional(),
  }),
  z.strictObject({
    ...videoShared,
    ...sound,
    ...seed,
    ...resolution,
    model: z.literal("seedance-1-5-pro-251215"),
  }),
  z.strictObject({
    ...videoShared,
    ...seed,
    ...resolution,
    model: z.literal("seedance-1-0-pro-250528"),
  }),
]);

const id = "cgt-20261123120000-abcde";
const task = {
  id,
  model: "dreamina-seedance-2-0-260128",
  created_at: 1_795_435_200,
  updated_at: 1_795_435_260,
};
export const bytedanceWaiting: Readonly<Record<string, unknown>> = { ...task, status: "running" };

/** ModelArk (docs.byteplus.com/en/docs/ModelArk). */
export function startBytedanceDouble(): Promise<ProviderDouble> {
  let count = 0;
  return startProviderDouble({
    basePath: "/api/v3",
    key: { authorization: "Bearer test-key-123456" },
    refuse: ({ status, message }) =>
      fail(status, { error: { code: "InvalidParameter", message, param: "", type: "BadRequest" } }),
    routes: [
      {
        method: "POST",
        path: "/chat/completions",
        body: compatibleChat,
        answer: answerCompatibleChat,
      },
      {
        method: "POST",
        path: "/embeddings",
        body: compatibleEmbeddings,
        answer: answerCompatibleEmbeddings,
      },
      {
        method: "POST",
        path: "/images/generations",
        body: images,
        answer: ({ body }) => {
          count += 1;
          return json({
            model: (body as { readonly model: string }).model,
            created: 1_795_435_200,
            data: [{ url: `https://ark-content.bytepluses.com/${count}.jpeg`, size: "2048x2048" }],
            usage: { generated_images: 1, output_tokens: 16_384, total_tokens: 16_384 },
          });
        },
      },
      {
        method: "POST",
        path: "/contents/generations/tasks",
        body: video,
        answer: () => json({ id }),
      },
      {
        method: "GET",
        path: "/contents/generations/tasks/{id}",
        answer: steps([
          { ...task, status: "queued" },
          bytedanceWaiting,
          {
            ...task,
            status: "succeeded",
            content: { video_url: "https://ark-content.bytepluses.com/v.mp4" },
            usage: { completion_tokens: 108_900, total_tokens: 108_900 },
            duration: 5,
            ratio: "16:9",
            resolution: "720p",
            framespersecond: 24,
          },
        ]),
      },
      {
        method: "DELETE",
        path: "/contents/generations/tasks/{id}",
        answer: () => json({}),
      },
    ],
  });
}
