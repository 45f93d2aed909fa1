import type { ProviderAdapter, ProviderCall, ProviderResult } from "../adapter.ts";
import { base64DataUri } from "../data-uri.ts";
import { numberAt, promised, textAt } from "./answer.ts";
import { given, Inputs, noSuchTask } from "./inputs.ts";

/** Inworld requires a voice; its documents' examples speak with this one. */
const voiceDefault = "Ashley";

/** From the names that callers use to Inworld's encodings, with the type of what comes back. */
const encodings: Readonly<Record<string, readonly [encoding: string, contentType: string]>> = {
  mp3: ["MP3", "audio/mpeg"],
  opus: ["OGG_OPUS", "audio/ogg"],
  ogg: ["OGG_OPUS", "audio/ogg"],
  wav: ["WAV", "audio/wav"],
  pcm: ["PCM", "audio/pcm"],
  flac: ["FLAC", "audio/flac"],
  alaw: ["ALAW", "audio/alaw"],
  mulaw: ["MULAW", "audio/basic"],
};

/** InWorld: speech, in one answer. */
export const inworld: ProviderAdapter = {
  id: "inworld",
  title: "InWorld",
  baseUrl: "https://api.inworld.ai",
  source: { document: "@inworld/tts 1.1.1 (src/client.js, src/index.d.ts)", date: "2026-11-23" },
  // The key is given out in Base64 already.
  authorize: (key) => ({ authorization: `Basic ${key}` }),
  async run(call) {
    if (call.task === "text-to-speech") return speak(call);
    throw noSuchTask(call);
  },
};

async function speak(call: ProviderCall): Promise<ProviderResult> {
  const { http } = call;
  const input = new Inputs(call);
  const text = input.required("text");
  const format = input.text("format") ?? "mp3";
  const found = encodings[format.toLowerCase()];
  if (found === undefined) {
    throw input.wrong("format", `must be one of ${Object.keys(encodings).join(", ")}`);
  }
  const [audioEncoding, contentType] = found;
  const body = given({
    text,
    voiceId: input.text("voice") ?? voiceDefault,
    modelId: call.model,
    audioConfig: given({
      audioEncoding,
      sampleRateHertz: input.number("sample_rate"),
      speakingRate: input.number("speed"),
    }),
    language: input.text("language"),
  });
  input.finish();
  const answer = await http.json({ method: "POST", path: "/tts/v1/voice", body });
  const audio = promised(textAt(answer.body, "audioContent"), http, "audioContent");
  const characters =
    numberAt(answer.body, "usage.processedCharactersCount") ?? Array.from(text).length;
  return { output: base64DataUri(contentType, audio), metrics: { characters } };
}
