import { z } from "zod";

import {
  fail,
  json,
  startProviderDouble,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";

const file = z.string().regex(/^(?:https:\/\/|data:image\/)/);
const common = {
  prompt: z.string().min(1),
  n: z.int().min(1).max(6).optional(),
  random_seed: z.int().optional(),
  response_format: z.enum(["url", "b64_json"]).optional(),
};
const v4 = {
  model: z.enum([
    "recraftv4",
    "recraftv4_pro",
    "recraftv4_1",
    "recraftv4_1_pro",
    "recraftv4_vector",
  ]),
};
/** Styles and unwanted things are inputs of the second and third generation. */
const v3 = {
  model: z.enum(["recraftv3", "recraftv3_vector", "recraftv2"]),
  style: z.string().optional(),
  negative_prompt: z.string().optional(),
};
const size = {
  size: z
    .string()
    .regex(/^\d+(?:x|:)\d+$/)
    .optional(),
};
const change = { image_url: file, strength: z.number().min(0).max(1) };

/** Recraft's images (recraft.ai/docs/api-reference), as JSON. */
export function startRecraftDouble(): Promise<ProviderDouble> {
  const images = ({ body }: { readonly body: unknown }): ReturnType<typeof json> => {
    const { n = 1 } = body as { readonly n?: number };
    const data = Array.from({ length: n }, (_, index) => ({
      image_id: `i${index}`,
      url: `https://img.recraft.ai/${index}`,
    }));
    return json({ created: 1_700_000_000, credits: n * 40, data });
  };
  return startProviderDouble({
    basePath: "/v1",
    key: { authorization: "Bearer test-key-123456" },
    refuse: ({ status, message }) => fail(status, { code: "invalid_request", message }),
    routes: [
      {
        method: "POST",
        path: "/images/generations",
        body: z.union([
          z.strictObject({ ...common, ...v4, ...size }),
          z.strictObject({ ...common, ...v3, ...size }),
        ]),
        answer: images,
      },
      {
        method: "POST",
        path: "/images/imageToImage",
        body: z.union([
          z.strictObject({ ...common, ...v4, ...change }),
          z.strictObject({ ...common, ...v3, ...change }),
        ]),
        answer: images,
      },
      {
        method: "POST",
        path: "/images/inpaint",
        body: z.strictObject({ ...common, ...v3, image_url: file, mask_url: file }),
        answer: images,
      },
    ],
  });
}
