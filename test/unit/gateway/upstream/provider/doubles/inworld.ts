import { z } from "zod";

import {
  fail,
  json,
  startProviderDouble,
  type DoubleAnswer,
  type ProviderDouble,
} from "../../../../../support/provider-double.ts";

const body = z.strictObject({
  text: z.string().min(1).max(2_000),
  voiceId: z.string().min(1),
  modelId: z.enum(["inworld-tts-2", "inworld-tts-1.5-max", "inworld-tts-1.5-mini"]),
  audioConfig: z.strictObject({
    audioEncoding: z.enum(["MP3", "OGG_OPUS", "LINEAR16", "WAV", "PCM", "FLAC", "ALAW", "MULAW"]),
    sampleRateHertz: z.int().min(8_000).max(48_000).optional(),
    speakingRate: z.number().min(0.5).max(1.5).optional(),
  }),
  language: z.string().optional(),
});

/** Lines of JSON, cut where lines and letters do not end. */
export function inworldLines(values: readonly unknown[]): DoubleAnswer {
  return async (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(""));
    for (let from = 0; from < bytes.length; from += 7) {
      await new Promise<void>((resolve) =>
        response.write(bytes.subarray(from, from + 7), () => resolve()),
      );
    }
    response.end();
  };
}
/** InWorld's synthesis (@inworld/tts 1.1.1): the audio of the double is the text itself. */
export function startInworldDouble(): Promise<ProviderDouble> {
  return startProviderDouble({
    key: { authorization: "Basic test-key-123456" },
    refuse: ({ status, message }) => fail(status, { code: 3, message, details: [] }),
    routes: [
      {
        method: "POST",
        path: "/tts/v1/voice",
        body,
        answer: ({ body: sent }) => {
          const { text, modelId } = body.parse(sent);
          return json({
            audioContent: Buffer.from(text).toString("base64"),
            usage: { processedCharactersCount: text.length, modelId },
          });
        },
      },
      {
        method: "POST",
        path: "/tts/v1/voice:stream",
        body,
        answer: ({ body: sent }) => {
          const { text, modelId } = body.parse(sent);
          const usage = { processedCharactersCount: text.length, modelId };
          const pieces = text.split(/(?<=\s)/).map((word) => ({
            result: { audioContent: Buffer.from(word).toString("base64"), usage },
          }));
          return inworldLines(pieces);
        },
      },
    ],
  });
}
