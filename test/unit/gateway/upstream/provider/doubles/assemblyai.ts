import { z } from "zod";

import {
  fail,
  json,
  startProviderDouble,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";
import { steps } from "./steps.ts";

const parameters = {
  audio_url: z.url(),
  language_code: z.string().optional(),
  language_detection: z.boolean().optional(),
  prompt: z.string().optional(),
  temperature: z.number().min(0).max(1).optional(),
};
const body = z
  .union([
    z.strictObject({ ...parameters, speech_models: z.array(z.string()).min(1) }),
    z.strictObject({
      ...parameters,
      speech_model: z.enum(["best", "nano", "slam-1", "universal"]),
    }),
  ])
  .refine(
    (sent) => sent.language_detection !== true || sent.language_code === undefined,
    "language_detection is not available when language_code is specified",
  );

const id = "93b8082d-22c2-4dd0-adf6-0037d2c7027a";
const transcript = {
  id,
  audio_url: "https://cdn.example/a.wav",
  status: "queued",
  text: null,
  words: null,
  audio_duration: null,
  language_code: "en_us",
  speech_models: ["universal-3-5-pro"],
};
export const assemblyaiWaiting: Readonly<Record<string, unknown>> = {
  ...transcript,
  status: "processing",
};

const words = [
  { text: "The", start: 32, end: 129, confidence: 0.95, speaker: null },
  { text: "sun", start: 129, end: 404, confidence: 0.99, speaker: null },
];

/** AssemblyAI's transcripts (assemblyai 4.41.5, types/openapi.generated.ts). */
export function startAssemblyaiDouble(): Promise<ProviderDouble> {
  return startProviderDouble({
    basePath: "/v2",
    key: { authorization: "test-key-123456" },
    refuse: ({ status, message }) => fail(status, { error: message }),
    routes: [
      {
        method: "POST",
        path: "/upload",
        headers: z.looseObject({ "content-type": z.literal("application/octet-stream") }),
        body: z.instanceof(Buffer),
        answer: () => json({ upload_url: "https://cdn.assemblyai.com/upload/f756988d" }),
      },
      { method: "POST", path: "/transcript", body, answer: () => json(transcript) },
      {
        method: "GET",
        path: "/transcript/{id}",
        answer: steps([
          transcript,
          assemblyaiWaiting,
          { ...transcript, status: "completed", text: "The sun", words, audio_duration: 7 },
        ]),
      },
      {
        method: "GET",
        path: "/transcript/{id}/sentences",
        answer: () =>
          json({
            id,
            confidence: 0.97,
            audio_duration: 7,
            sentences: [
              { text: "The sun", start: 32, end: 404, confidence: 0.97, words, speaker: null },
            ],
          }),
      },
    ],
  });
}
