import { z } from "zod";

import {
  json,
  startProviderDouble,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";
import { steps } from "./steps.ts";

const image = z.string().regex(/^(?:https:\/\/|data:image\/(?:png|jpeg|webp);base64,)/);
const resolution = z.enum(["360p", "540p", "720p", "1080p"]);
const shared = {
  duration: z.int().min(1).max(16).optional(),
  seed: z.int().optional(),
  resolution: resolution.optional(),
  audio: z.boolean().optional(),
};

const textToVideo = z.strictObject({
  model: z.enum(["viduq3-pro", "viduq3-turbo", "viduq2", "viduq1"]),
  prompt: z.string().min(1).max(5_000),
  aspect_ratio: z.enum(["16:9", "9:16", "3:4", "4:3", "1:1"]).optional(),
  ...shared,
});

const fromImages = (count: number): z.ZodType =>
  z.strictObject({
    model: z.enum(["viduq3-pro", "viduq2-pro", "viduq2-turbo", "viduq1", "vidu2.0"]),
    images: z.array(image).length(count),
    prompt: z.string().max(5_000).optional(),
    ...shared,
  });

const id = "836981282091204608";
export const viduWaiting: Readonly<Record<string, unknown>> = {
  id,
  state: "processing",
  err_code: "",
  credits: 8,
  creations: [],
};

/** Vidu's tasks (platform.vidu.com/docs): created, queued, processed, done. */
export function startViduDouble(): Promise<ProviderDouble> {
  return startProviderDouble({
    basePath: "/ent/v2",
    key: { authorization: "Token test-key-123456" },
    refuse: ({ status, message }) =>
      json({ code: status, reason: "BadRequest", message, metadata: {} }, { status }),
    routes: [
      ...[
        ["/text2video", textToVideo] as const,
        ["/img2video", fromImages(1)] as const,
        ["/start-end2video", fromImages(2)] as const,
      ].map(([path, body]) => ({
        method: "POST" as const,
        path,
        body,
        answer: ({ body: sent }: { readonly body: unknown }) =>
          json({ task_id: id, state: "created", duration: 5, credits: 8, ...(sent as object) }),
      })),
      {
        method: "GET",
        path: "/tasks/{id}/creations",
        answer: steps([
          { ...viduWaiting, state: "created" },
          { ...viduWaiting, state: "queueing" },
          viduWaiting,
          {
            ...viduWaiting,
            state: "success",
            creations: [
              {
                id: "c1",
                url: "https://prod-ss-vidu.s3.amazonaws.com/v.mp4",
                cover_url: "https://prod-ss-vidu.s3.amazonaws.com/v.jpg",
                watermarked_url: "https://prod-ss-vidu.s3.amazonaws.com/w.mp4",
              },
            ],
          },
        ]),
      },
      {
        method: "POST",
        path: "/tasks/{id}/cancel",
        body: z.strictObject({ id: z.literal(id) }),
        answer: () => json({}),
      },
    ],
  });
}
