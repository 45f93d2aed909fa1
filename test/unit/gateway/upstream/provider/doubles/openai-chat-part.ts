import { z } from "zod";

import { json, sse, type DoubleAnswer } from "../../../../../support/provider-double.ts";

/** The part of OpenAI's chat that the vendors who copied it document alike. */
export const compatibleChat: z.ZodType = z.strictObject({
  model: z.string(),
  messages: z
    .array(
      z.strictObject({
        role: z.enum(["system", "user", "assistant", "tool"]),
        content: z.unknown(),
      }),
    )
    .min(1),
  max_tokens: z.int().min(1).optional(),
  temperature: z.number().optional(),
  top_p: z.number().optional(),
  seed: z.int().optional(),
  stop: z.array(z.string()).optional(),
  tools: z.array(z.unknown()).optional(),
  stream: z.boolean().optional(),
  stream_options: z.strictObject({ include_usage: z.boolean() }).optional(),
});

const usage = { prompt_tokens: 6, completion_tokens: 2, total_tokens: 8 };
const chunk = (delta: object, finish: string | null = null): object => ({
  id: "c1",
  object: "chat.completion.chunk",
  choices: [{ index: 0, delta, finish_reason: finish }],
});

/** "Hi you", in two pieces when it is streamed. */
export function answerCompatibleChat({ body }: { readonly body: unknown }): DoubleAnswer {
  if ((body as { readonly stream?: boolean }).stream === true) {
    return sse([
      chunk({ role: "assistant", content: "Hi " }),
      chunk({ content: "you" }),
      chunk({}, "stop"),
      { id: "c1", object: "chat.completion.chunk", choices: [], usage },
      "data: [DONE]\n\n",
    ]);
  }
  const message = { role: "assistant", content: "Hi you" };
  return json({
    id: "c1",
    object: "chat.completion",
    choices: [{ index: 0, message, finish_reason: "stop" }],
    usage,
  });
}

export const compatibleEmbeddings: z.ZodType = z.strictObject({
  model: z.string(),
  input: z.array(z.string()).min(1),
  dimensions: z.int().optional(),
  encoding_format: z.literal("float").optional(),
});

export function answerCompatibleEmbeddings(): DoubleAnswer {
  const data = [{ object: "embedding", index: 0, embedding: [0.5, 0.25] }];
  return json({ object: "list", data, usage: { prompt_tokens: 3, total_tokens: 3 } });
}
