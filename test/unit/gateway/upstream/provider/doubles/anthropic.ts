import { z } from "zod";

import {
  fail,
  sse,
  startProviderDouble,
  type DoubleAnswer,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";

// The Messages API as the types of npm @anthropic-ai/sdk 1.12.0 (2026-11-20) have it, in its two versions.

const imageType = z.enum(["image/jpeg", "image/png", "image/gif", "image/webp"]);
const url = z.strictObject({ type: z.literal("url"), url: z.url() });

const block = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text: z.string().min(1) }),
  z.strictObject({
    type: z.literal("image"),
    source: z.union([
      z.strictObject({ type: z.literal("base64"), media_type: imageType, data: z.base64() }),
      url,
    ]),
  }),
  z.strictObject({
    type: z.literal("document"),
    source: z.union([
      z.strictObject({
        type: z.literal("base64"),
        media_type: z.literal("application/pdf"),
        data: z.base64(),
      }),
      url,
    ]),
  }),
  z.strictObject({
    type: z.literal("tool_use"),
    id: z.string().min(1),
    name: z.string().min(1),
    input: z.record(z.string(), z.unknown()),
  }),
  z.strictObject({
    type: z.literal("tool_result"),
    tool_use_id: z.string().min(1),
    content: z.string(),
  }),
]);

const serial = { disable_parallel_tool_use: z.boolean().optional() };

const message = z.strictObject({
  model: z.string(),
  max_tokens: z.int().min(1),
  messages: z
    .array(z.strictObject({ role: z.enum(["user", "assistant"]), content: z.array(block).min(1) }))
    .min(1),
  system: z.string().min(1).optional(),
  stop_sequences: z.array(z.string()).optional(),
  stream: z.literal(true),
  tools: z
    .array(
      z.strictObject({
        name: z.string(),
        description: z.string().optional(),
        input_schema: z.looseObject({ type: z.literal("object") }),
      }),
    )
    .optional(),
  tool_choice: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("auto"), ...serial }),
      z.strictObject({ type: z.literal("any"), ...serial }),
      z.strictObject({ type: z.literal("tool"), name: z.string(), ...serial }),
      z.strictObject({ type: z.literal("none") }),
    ])
    .optional(),
  thinking: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("enabled"), budget_tokens: z.int().min(1024) }),
      z.strictObject({ type: z.literal("disabled") }),
      z.strictObject({
        type: z.literal("adaptive"),
        display: z.enum(["summarized", "omitted"]).optional(),
      }),
    ])
    .optional(),
  output_config: z
    .strictObject({
      effort: z.enum(["low", "medium", "high", "xhigh", "max"]).optional(),
      format: z
        .strictObject({
          type: z.literal("json_schema"),
          schema: z.record(z.string(), z.unknown()),
        })
        .optional(),
    })
    .optional(),
});

/** Only the older version samples. */
const sampledMessage = message.extend({
  temperature: z.number().min(0).max(1).optional(),
  top_p: z.number().optional(),
  top_k: z.int().optional(),
});

export const anthropicKey = "sk-ant-test-1234567890";

export function anthropicError(
  status: number,
  type: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): DoubleAnswer {
  return fail(
    status,
    { type: "error", error: { type, message: text }, request_id: "req_1" },
    headers,
  );
}

/** A double of api.anthropic.com/v1. */
export function startAnthropicDouble(): Promise<ProviderDouble> {
  return startProviderDouble({
    basePath: "/v1",
    key: { "x-api-key": anthropicKey },
    refuse: ({ status, message: text }) =>
      anthropicError(
        status,
        status === 401 ? "authentication_error" : "invalid_request_error",
        text,
      ),
    routes: [
      {
        method: "POST",
        path: "/messages",
        headers: z.looseObject({ "anthropic-version": z.enum(["2023-06-01", "2026-10-21"]) }),
        body: z.unknown(),
        answer: ({ headers, body }) => {
          const schema = headers["anthropic-version"] === "2023-06-01" ? sampledMessage : message;
          const checked = schema.safeParse(body);
          if (!checked.success) throw new Error(z.prettifyError(checked.error));
          return sse(anthropicFrames());
        },
      },
    ],
  });
}

export function event(name: string, data: object = {}): string {
  return `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`;
}

const messageStart = event("message_start", {
  message: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    content: [],
    model: "claude-sonnet-5-5",
    stop_reason: null,
    usage: {
      input_tokens: 10,
      cache_read_input_tokens: 4,
      cache_creation_input_tokens: 1,
      output_tokens: 1,
    },
  },
});

export function blockOf(
  index: number,
  start: object,
  deltas: readonly object[],
): readonly string[] {
  return [
    event("content_block_start", { index, content_block: start }),
    ...deltas.map((delta) => event("content_block_delta", { index, delta })),
    event("content_block_stop", { index }),
  ];
}

/** A whole streamed message: thinking, then text; other blocks when given. */
export function anthropicFrames(
  blocks: readonly string[] = [
    ...blockOf(0, { type: "thinking", thinking: "", signature: "" }, [
      { type: "thinking_delta", thinking: "hm" },
      { type: "signature_delta", signature: "abc" },
    ]),
    ...blockOf(1, { type: "text", text: "" }, [
      { type: "text_delta", text: "Hel" },
      { type: "text_delta", text: "lo" },
    ]),
  ],
  stopReason: string = "end_turn",
): readonly string[] {
  return [
    messageStart,
    event("ping"),
    ...blocks,
    event("message_delta", {
      delta: { stop_reason: stopReason, stop_sequence: null },
      usage: { output_tokens: 12, output_tokens_details: { thinking_tokens: 5 } },
    }),
    event("message_stop"),
  ];
}
