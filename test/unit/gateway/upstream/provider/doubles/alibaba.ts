import { z } from "zod";

import {
  fail,
  json,
  startProviderDouble,
  type DoubleRequest,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";
import {
  answerCompatibleChat,
  answerCompatibleEmbeddings,
  compatibleChat,
  compatibleEmbeddings,
} from "./openai-chat-part.ts";

const async = z.looseObject({ "x-dashscope-async": z.literal("enable") });
const file = z.string().regex(/^(?:https:\/\/|data:(?:image|audio)\/)/);
const pixels = z
  .string()
  .regex(/^\d+\*\d+$/)
  .optional();
const seed = z.int().min(0).max(2_147_483_647).optional();

/** One message of a user: a text, and images. */
const messages = z.strictObject({
  messages: z.tuple([
    z.strictObject({
      role: z.literal("user"),
      content: z
        .array(
          z.union([z.strictObject({ text: z.string().min(1) }), z.strictObject({ image: file })]),
        )
        .min(1),
    }),
  ]),
});
const imageParameters = {
  size: pixels,
  n: z.int().min(1).max(6).optional(),
  seed,
  negative_prompt: z.string().max(500).optional(),
};

/** Wan up to 2.5: a plain prompt. */
const plainImage = z.strictObject({
  model: z.enum(["wan2.5-t2i-preview", "wan2.2-t2i-flash"]),
  input: z.strictObject({ prompt: z.string().min(1), negative_prompt: z.string().optional() }),
  parameters: z.strictObject({ size: pixels, n: z.int().min(1).max(4).optional(), seed }),
});
/** Wan from 2.6: messages; 2.6's image model needs images, or its mixed mode. */
const wanImage = z.union([
  z.strictObject({
    model: z.enum(["wan2.6-t2i", "wan2.7-image", "wan2.7-image-pro"]),
    input: messages,
    parameters: z.strictObject(imageParameters),
  }),
  z
    .strictObject({
      model: z.literal("wan2.6-image"),
      input: messages,
      parameters: z.strictObject({
        ...imageParameters,
        enable_interleave: z.literal(true).optional(),
        max_images: z.int().min(1).max(5).optional(),
      }),
    })
    .refine(({ input, parameters }) => {
      const hasImage = input.messages[0].content.some((part) => "image" in part);
      return hasImage !== (parameters.enable_interleave === true);
    }, "images, or enable_interleave"),
]);

const qwenImage = z.strictObject({
  model: z.enum(["qwen-image-plus", "qwen-image-3.0-pro", "qwen-image-edit-plus"]),
  input: messages,
  parameters: z.strictObject(imageParameters),
});
const qwenSpeech = z.strictObject({
  model: z.enum(["qwen3-tts-flash", "qwen3-tts-instruct-flash"]),
  input: z.strictObject({
    text: z.string().min(1).max(600),
    voice: z.string().min(1),
    language_type: z.enum(["Auto", "Chinese", "English", "German", "French"]).optional(),
    instructions: z.string().optional(),
  }),
});
const qwenTranscript = z.strictObject({
  model: z.literal("qwen3-asr-flash"),
  input: z.strictObject({
    messages: z
      .array(
        z.union([
          z.strictObject({
            role: z.literal("system"),
            content: z.tuple([z.strictObject({ text: z.string() })]),
          }),
          z.strictObject({
            role: z.literal("user"),
            content: z.tuple([z.strictObject({ audio: file })]),
          }),
        ]),
      )
      .min(1),
  }),
  parameters: z.strictObject({
    asr_options: z.strictObject({
      language: z.string().length(2).optional(),
      enable_itn: z.boolean().optional(),
    }),
  }),
});

const tier = z.enum(["480P", "720P", "1080P"]).optional();
const ratio = z.enum(["16:9", "9:16", "1:1", "4:3", "3:4"]).optional();
const media = z.array(z.strictObject({ type: z.enum(["first_frame", "last_frame"]), url: file }));
const prompt = z.string().min(1);
const negative = { negative_prompt: z.string().max(500).optional() };
const length = { duration: z.int().min(2).max(30).optional(), seed };
const video = z.union([
  z.strictObject({
    model: z.literal("wan3.0-video"),
    input: z.strictObject({ prompt: prompt.optional(), media: media.optional() }),
    parameters: z.strictObject({
      ...length,
      resolution: tier,
      ratio,
      audio: z.boolean().optional(),
    }),
  }),
  z.strictObject({
    model: z.literal("wan2.7-t2v"),
    input: z.strictObject({ prompt, ...negative }),
    parameters: z.strictObject({ ...length, resolution: tier, ratio }),
  }),
  z.strictObject({
    model: z.literal("wan2.7-i2v"),
    input: z.strictObject({ prompt: prompt.optional(), ...negative, media: media.min(1) }),
    parameters: z.strictObject({ ...length, resolution: tier }),
  }),
  z.strictObject({
    model: z.literal("happyhorse-1.1-t2v"),
    input: z.strictObject({ prompt }),
    parameters: z.strictObject({ ...length, resolution: tier, ratio }),
  }),
  z.strictObject({
    model: z.literal("wan2.6-t2v"),
    input: z.strictObject({ prompt, ...negative }),
    parameters: z.strictObject({ ...length, size: pixels }),
  }),
  z.strictObject({
    model: z.literal("wan2.6-i2v"),
    input: z.strictObject({ prompt: prompt.optional(), ...negative, img_url: file }),
    parameters: z.strictObject({ ...length, resolution: tier, audio: z.boolean().optional() }),
  }),
]);

const id = "a8532587-fa8c-4ef8-82be-0c46b17950d1";
const requestId = "7574ee8f-38a3-4b1e-9280-11c33ab46e51";
const state = (task_status: string, more: object = {}): Readonly<Record<string, unknown>> => ({
  request_id: requestId,
  output: { task_id: id, task_status, ...more },
});
export const alibabaWaiting: Readonly<Record<string, unknown>> = state("RUNNING");
export const alibabaFailed: Readonly<Record<string, unknown>> = state("FAILED", {
  code: "DataInspectionFailed",
  message: "Output data may contain inappropriate content.",
});

/** Model Studio's Singapore region (alibabacloud.com/help/en/model-studio). */
export function startAlibabaDouble(): Promise<ProviderDouble> {
  const created = (): ReturnType<typeof json> => json(state("PENDING"));
  let doneWith: object = {};
  const looks = [state("PENDING"), alibabaWaiting];
  const services = "/api/v1/services/aigc";
  const choices = (content: readonly unknown[], more: object = {}): object => ({
    choices: [{ finish_reason: "stop", message: { role: "assistant", content, ...more } }],
  });
  return startProviderDouble({
    key: { authorization: "Bearer test-key-123456" },
    refuse: ({ status, message }) =>
      fail(status, { request_id: requestId, code: "InvalidParameter", message }),
    routes: [
      {
        method: "POST",
        path: "/compatible-mode/v1/chat/completions",
        body: compatibleChat,
        answer: answerCompatibleChat,
      },
      {
        method: "POST",
        path: "/compatible-mode/v1/embeddings",
        body: compatibleEmbeddings,
        answer: answerCompatibleEmbeddings,
      },
      {
        method: "POST",
        path: `${services}/text2image/image-synthesis`,
        headers: async,
        body: plainImage,
        answer: () => {
          doneWith = { results: [{ url: "https://oss/1.png" }, { code: "E", message: "no" }] };
          return created();
        },
      },
      {
        method: "POST",
        path: `${services}/image-generation/generation`,
        headers: async,
        body: wanImage,
        answer: () => {
          doneWith = choices([{ type: "image", image: "https://oss/wan.png" }]);
          return created();
        },
      },
      {
        method: "POST",
        path: `${services}/video-generation/video-synthesis`,
        headers: async,
        body: video,
        answer: () => {
          doneWith = { video_url: "https://oss/v.mp4" };
          return created();
        },
      },
      {
        method: "POST",
        path: `${services}/multimodal-generation/generation`,
        body: z.union([qwenImage, qwenSpeech, qwenTranscript]),
        answer: (request) => json({ ...multimodal(request, choices), request_id: requestId }),
      },
      {
        method: "GET",
        path: "/api/v1/tasks/{id}",
        answer: ({ params }) => {
          const look = looks.shift();
          if (look !== undefined) return json(look);
          const usage = "video_url" in doneWith ? { output_video_duration: 5 } : { image_count: 1 };
          return json({ ...state("SUCCEEDED", { ...doneWith, task_id: params["id"] }), usage });
        },
      },
      {
        method: "POST",
        path: "/api/v1/tasks/{id}/cancel",
        answer: () => json({ request_id: "r" }),
      },
    ],
  });
}

function multimodal(
  { body }: DoubleRequest,
  choices: (content: readonly unknown[], more?: object) => object,
): object {
  const { model } = body as { readonly model: string };
  if (model.startsWith("qwen3-tts")) {
    const audio = { url: "http://oss/speech.wav", data: "", id: "audio_1" };
    return { output: { audio, finish_reason: "stop" }, usage: { characters: 11 } };
  }
  if (model.startsWith("qwen3-asr")) {
    const annotations = [{ type: "audio_info", language: "de", emotion: "neutral" }];
    return {
      output: choices([{ text: "Guten Tag" }], { annotations }),
      usage: { seconds: 3, output_tokens_details: { text_tokens: 4 } },
    };
  }
  return {
    output: choices([{ image: "https://oss/qwen.png" }]),
    usage: { image_count: 1, width: 1328, height: 1328 },
  };
}
