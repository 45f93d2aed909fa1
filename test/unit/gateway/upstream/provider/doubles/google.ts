import { z } from "zod";

import {
  bytes,
  fail,
  json,
  sse,
  startProviderDouble,
  type DoubleAnswer,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";

// The Gemini API as googleapis/js-genai 2.18.0 (2026-08-21) writes it, v1beta.

const blob = z.strictObject({ mimeType: z.string(), data: z.base64() });

const part = z.union([
  z.strictObject({ text: z.string() }),
  z.strictObject({ inlineData: blob }),
  z.strictObject({
    functionCall: z.strictObject({
      id: z.string().optional(),
      name: z.string().min(1),
      args: z.record(z.string(), z.unknown()).optional(),
    }),
    thoughtSignature: z.string().optional(),
  }),
  z.strictObject({
    functionResponse: z.strictObject({
      id: z.string().optional(),
      name: z.string().min(1),
      response: z.record(z.string(), z.unknown()),
    }),
  }),
]);

const contents = z
  .array(z.strictObject({ role: z.enum(["user", "model"]), parts: z.array(part).min(1) }))
  .min(1);

const generationConfig = z.strictObject({
  temperature: z.number().optional(),
  topP: z.number().optional(),
  topK: z.number().optional(),
  maxOutputTokens: z.int().optional(),
  stopSequences: z.array(z.string()).max(5).optional(),
  presencePenalty: z.number().optional(),
  frequencyPenalty: z.number().optional(),
  seed: z.int().optional(),
  responseMimeType: z.enum(["application/json", "text/plain"]).optional(),
  responseJsonSchema: z.record(z.string(), z.unknown()).optional(),
  thinkingConfig: z
    .union([
      z.strictObject({
        includeThoughts: z.boolean().optional(),
        thinkingBudget: z.int().optional(),
      }),
      z.strictObject({
        includeThoughts: z.boolean().optional(),
        thinkingLevel: z.enum(["MINIMAL", "LOW", "MEDIUM", "HIGH"]),
      }),
    ])
    .optional(),
  responseModalities: z.array(z.enum(["TEXT", "IMAGE", "AUDIO"])).optional(),
  imageConfig: z
    .strictObject({
      aspectRatio: z.string().optional(),
      imageSize: z.enum(["1K", "2K", "4K"]).optional(),
    })
    .optional(),
  speechConfig: z
    .strictObject({
      voiceConfig: z.strictObject({
        prebuiltVoiceConfig: z.strictObject({ voiceName: z.string() }),
      }),
      languageCode: z.string().optional(),
    })
    .optional(),
});

const generate = z.strictObject({
  contents,
  systemInstruction: z.strictObject({ parts: z.array(part).min(1) }).optional(),
  tools: z
    .array(
      z.strictObject({
        functionDeclarations: z.array(
          z.strictObject({
            name: z.string(),
            description: z.string().optional(),
            parametersJsonSchema: z.record(z.string(), z.unknown()).optional(),
          }),
        ),
      }),
    )
    .optional(),
  toolConfig: z
    .strictObject({
      functionCallingConfig: z.strictObject({
        mode: z.enum(["AUTO", "ANY", "NONE"]),
        allowedFunctionNames: z.array(z.string()).optional(),
      }),
    })
    .optional(),
  generationConfig: generationConfig.optional(),
});

const embed = z.strictObject({
  requests: z
    .array(
      z.strictObject({
        model: z.string().startsWith("models/"),
        content: z.strictObject({ parts: z.array(z.strictObject({ text: z.string() })) }),
        taskType: z.enum(["RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "CLUSTERING"]).optional(),
        outputDimensionality: z.int().optional(),
      }),
    )
    .min(1),
});

const imagen = z.strictObject({
  instances: z.array(z.strictObject({ prompt: z.string() })).length(1),
  parameters: z.strictObject({
    sampleCount: z.int().min(1).max(4),
    aspectRatio: z.enum(["1:1", "3:4", "4:3", "9:16", "16:9"]).optional(),
    imageSize: z.enum(["1K", "2K"]).optional(),
  }),
});

const image = z.strictObject({ bytesBase64Encoded: z.base64(), mimeType: z.string() });

const veo = z.strictObject({
  instances: z
    .array(
      z.strictObject({
        prompt: z.string().optional(),
        image: image.optional(),
        lastFrame: image.optional(),
      }),
    )
    .length(1),
  parameters: z.strictObject({
    aspectRatio: z.enum(["16:9", "9:16"]).optional(),
    durationSeconds: z.int().optional(),
    resolution: z.enum(["720p", "1080p", "4k"]).optional(),
    negativePrompt: z.string().optional(),
  }),
});

export const googleKey = "AIza-test-1234567890";
export const operationName = "models/veo-3.1-generate-preview/operations/op1";

export function googleError(
  code: number,
  status: string,
  message: string,
  details: readonly object[] = [],
): DoubleAnswer {
  return fail(code, { error: { code, message, status, details } });
}

/** A double of generativelanguage.googleapis.com/v1beta. */
export function startGoogleDouble(): Promise<ProviderDouble> {
  let looks = 0;
  return startProviderDouble({
    basePath: "/v1beta",
    key: { "x-goog-api-key": googleKey },
    refuse: ({ status, message }) => googleError(status, "INVALID_ARGUMENT", message),
    routes: (double) => [
      {
        method: "POST",
        path: "/models/{model}:streamGenerateContent",
        query: z.strictObject({ alt: z.literal("sse") }),
        body: generate,
        answer: () => sse(geminiFrames),
      },
      {
        method: "POST",
        path: "/models/{model}:generateContent",
        body: generate,
        answer: ({ body }) => {
          const asked = body as z.infer<typeof generate>;
          const isSound = asked.generationConfig?.responseModalities?.[0] === "AUDIO";
          const mimeType = isSound ? "audio/L16;codec=pcm;rate=24000" : "image/png";
          return json({
            ...geminiChunk([{ inlineData: { mimeType, data: "AAEC" } }], "STOP"),
            usageMetadata: usage,
          });
        },
      },
      {
        method: "POST",
        path: "/models/{model}:batchEmbedContents",
        body: embed,
        answer: ({ body }) =>
          json({
            embeddings: (body as z.infer<typeof embed>).requests.map(({ content }) => ({
              values: [content.parts[0]?.text.length, 0.5],
            })),
          }),
      },
      {
        method: "POST",
        path: "/models/{model}:predict",
        body: imagen,
        answer: () =>
          json({ predictions: [{ mimeType: "image/png", bytesBase64Encoded: "AAEC" }] }),
      },
      {
        method: "POST",
        path: "/models/{model}:predictLongRunning",
        body: veo,
        answer: () => json({ name: operationName }),
      },
      {
        method: "GET",
        path: "/models/{model}/operations/{id}",
        answer: () => {
          looks += 1;
          if (looks < 3) return json({ name: operationName });
          const uri = `${double.baseUrl}/files/f1:download?alt=media`;
          const generatedSamples = [{ video: { uri } }];
          return json({
            name: operationName,
            done: true,
            response: { generateVideoResponse: { generatedSamples } },
          });
        },
      },
      {
        method: "GET",
        path: "/files/{id}:download",
        query: z.strictObject({ alt: z.literal("media") }),
        answer: () => bytes(Buffer.from("film"), "video/mp4"),
      },
    ],
  });
}

export function geminiChunk(parts: readonly object[], finishReason?: string): object {
  return {
    candidates: [
      {
        content: { parts, role: "model" },
        index: 0,
        ...(finishReason === undefined ? {} : { finishReason }),
      },
    ],
    modelVersion: "gemini-3.5-flash",
    responseId: "r1",
  };
}

const usage = {
  promptTokenCount: 8,
  candidatesTokenCount: 3,
  thoughtsTokenCount: 5,
  cachedContentTokenCount: 2,
  totalTokenCount: 16,
};

export const geminiFrames: readonly unknown[] = [
  geminiChunk([{ text: "hm", thought: true }]),
  geminiChunk([{ text: "Hel" }]),
  { ...geminiChunk([{ text: "lo", thoughtSignature: "abc" }], "STOP"), usageMetadata: usage },
];
