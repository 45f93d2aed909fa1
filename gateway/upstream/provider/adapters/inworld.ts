import type { ProviderAdapter, ProviderCall, ProviderResult } from "../adapter.ts";
import { base64DataUri } from "../data-uri.ts";
import { at, numberAt, promised, textAt } from "./answer.ts";
import { parseEvent } from "./event-json.ts";
import { given, Inputs, noSuchTask } from "./inputs.ts";
import { isInPieces, soundPieces, wholeSound } from "./sound-pieces.ts";
import { voiceOf } from "./voice.ts";

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

const path = "/tts/v1/voice";
const countPath = "usage.processedCharactersCount";

/** InWorld: speech, in one answer or in pieces. */
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
  const format = (input.text("format") ?? "mp3").toLowerCase();
  const found = encodings[format];
  if (found === undefined) {
    throw input.wrong("format", `must be one of ${Object.keys(encodings).join(", ")}`);
  }
  const [audioEncoding, contentType] = found;
  const body = given({
    text,
    voiceId: voiceOf(call, input, voiceDefault),
    modelId: call.model,
    audioConfig: given({
      audioEncoding,
      sampleRateHertz: input.number("sample_rate"),
      speakingRate: input.number("speed"),
    }),
    language: input.text("language"),
  });
  input.finish();
  let characters = Array.from(text).length;
  if (isInPieces(call, format)) {
    const pieces = streamed(call, body, (counted) => (characters = counted));
    return soundPieces(call, { contentType, pieces, metrics: () => ({ characters }) });
  }
  const answer = await http.json({ method: "POST", path, body });
  const audio = promised(textAt(answer.body, "audioContent"), http, "audioContent");
  characters = numberAt(answer.body, countPath) ?? characters;
  return {
    output: wholeSound(call, base64DataUri(contentType, audio)),
    metrics: { characters },
  };
}

/** The streamed answer: a line of JSON for each piece, or for what went wrong. */
async function* streamed(
  { http }: ProviderCall,
  body: Readonly<Record<string, unknown>>,
  onCount: (characters: number) => void,
): AsyncGenerator<Buffer, void, void> {
  for await (const line of http.lines({ method: "POST", path: `${path}:stream`, body })) {
    const piece = parseEvent(http.provider, line);
    const error = at(piece, "error");
    if (error !== undefined) throw http.failure(statusOf(numberAt(error, "code")), { error });
    const characters = numberAt(piece, `result.${countPath}`);
    if (characters !== undefined) onCount(characters);
    yield Buffer.from(textAt(piece, "result.audioContent") ?? "", "base64");
  }
}

/** Of gRPC's codes, which stand within a stream instead of a status. */
function statusOf(code: number | undefined): number {
  if (code === 3) return 400;
  if (code === 7 || code === 16) return 401;
  return code === 8 ? 429 : 500;
}
