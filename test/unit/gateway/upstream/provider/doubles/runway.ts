import { z } from "zod";

import {
  json,
  startProviderDouble,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";
import { steps } from "./steps.ts";

const headers = z.looseObject({ "x-runway-version": z.literal("2024-11-06") });
const taskId = "17f20503-6c24-4c16-946b-35dbbce2af2f";

const uri = z.string().regex(/^(?:https:\/\/|data:image\/)/);
const prompt = z.string().min(1).max(1_000);
const seed = z.int().min(0).max(4_294_967_295);
const position = (...names: readonly [string, ...string[]]): z.ZodType =>
  z.union([uri, z.array(z.strictObject({ uri, position: z.enum(names) })).min(1)]);

const textToVideo = z.discriminatedUnion("model", [
  z.strictObject({
    model: z.literal("gen4.5"),
    promptText: prompt,
    ratio: z.enum(["1280:720", "720:1280"]),
    duration: z.int().min(2).max(10),
    seed: seed.optional(),
  }),
  z.strictObject({
    model: z.literal("veo3.1"),
    promptText: prompt,
    ratio: z.enum(["1280:720", "720:1280", "1080:1920", "1920:1080"]),
    duration: z.union([z.literal(4), z.literal(6), z.literal(8)]).optional(),
    audio: z.boolean().optional(),
    negativePrompt: z.string().optional(),
    seed: seed.optional(),
  }),
  z.strictObject({
    model: z.literal("hailuo3"),
    promptText: z.string().min(1),
    duration: z.number().optional(),
    ratio: z.enum(["adaptive", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16"]).optional(),
    resolution: z.enum(["768p", "2k"]).optional(),
  }),
]);

const imageToVideo = z.discriminatedUnion("model", [
  z.strictObject({
    model: z.literal("gen4_turbo"),
    promptImage: position("first"),
    promptText: prompt.optional(),
    ratio: z.enum(["1280:720", "720:1280", "1104:832", "832:1104", "960:960", "1584:672"]),
    duration: z.int().min(2).max(10).optional(),
    seed: seed.optional(),
  }),
  z.strictObject({
    model: z.literal("veo3.1"),
    promptImage: position("first", "last"),
    promptText: prompt.optional(),
    ratio: z.enum(["1280:720", "720:1280", "1080:1920", "1920:1080"]),
    duration: z.union([z.literal(4), z.literal(6), z.literal(8)]).optional(),
    audio: z.boolean().optional(),
    negativePrompt: z.string().optional(),
    seed: seed.optional(),
  }),
]);

const textToImage = z.discriminatedUnion("model", [
  z.strictObject({
    model: z.literal("gen4_image"),
    promptText: prompt,
    ratio: z.enum(["1024:1024", "1920:1080", "1080:1920", "1440:1080", "1080:1440", "1680:720"]),
    referenceImages: z.array(z.strictObject({ uri, tag: z.string().optional() })).optional(),
    seed: seed.optional(),
  }),
  z.strictObject({
    model: z.literal("gpt_image_2"),
    promptText: z.string(),
    ratio: z.enum(["1920:1920", "2560:1440", "auto"]),
    background: z.enum(["transparent", "opaque", "auto"]).optional(),
    outputCount: z.int().min(1).max(10).optional(),
    quality: z.enum(["low", "medium", "high", "auto"]).optional(),
    referenceImages: z.array(z.strictObject({ uri, tag: z.string().optional() })).optional(),
  }),
]);

const seen = { id: taskId, createdAt: "2026-11-23T12:00:00.000Z" };
const estimate = { estimatedCost: { credits: 60 } };
export const runwayWaiting: Readonly<Record<string, unknown>> = {
  ...seen,
  ...estimate,
  status: "RUNNING",
  progress: 0.4,
};

/** Runway's tasks (@runwayml/sdk 4.20.1): created, throttled, run, done. */
export function startRunwayDouble(): Promise<ProviderDouble> {
  const created = (): ReturnType<typeof json> => json({ id: taskId, ...estimate });
  return startProviderDouble({
    basePath: "/v1",
    key: { authorization: "Bearer test-key-123456" },
    refuse: ({ status, message }) => json({ error: message }, { status }),
    routes: [
      { method: "POST", path: "/text_to_video", headers, body: textToVideo, answer: created },
      { method: "POST", path: "/image_to_video", headers, body: imageToVideo, answer: created },
      { method: "POST", path: "/text_to_image", headers, body: textToImage, answer: created },
      {
        method: "GET",
        path: "/tasks/{id}",
        headers,
        answer: steps([
          { ...seen, ...estimate, status: "PENDING" },
          { ...seen, ...estimate, status: "THROTTLED" },
          runwayWaiting,
          {
            ...seen,
            cost: { credits: 25 },
            status: "SUCCEEDED",
            output: ["https://dnznrvs05pmza.cloudfront.net/output.mp4?_jwt=x"],
          },
        ]),
      },
      {
        method: "DELETE",
        path: "/tasks/{id}",
        headers,
        answer: () => (response) => {
          response.writeHead(204);
          response.end();
        },
      },
    ],
  });
}
