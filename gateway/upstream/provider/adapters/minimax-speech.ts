import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { toDataUri } from "../data-uri.ts";
import { cutStream } from "../failure.ts";
import { numberAt, promised, textAt } from "./answer.ts";
import { parseEvent } from "./event-json.ts";
import { given, Inputs } from "./inputs.ts";
import { languageName } from "./language-name.ts";
import { checkBaseResponse } from "./minimax-error.ts";
import { isInPieces, soundPieces, wholeSound } from "./sound-pieces.ts";
import { voiceOf } from "./voice.ts";

const path = "/v1/t2a_v2";

/** MiniMax requires a voice; its own examples speak with this one. */
const voiceDefault = "English_expressive_narrator";

const contentTypes: Readonly<Record<string, string>> = {
  mp3: "audio/mpeg",
  wav: "audio/wav",
  flac: "audio/flac",
  pcm: "audio/pcm",
  opus: "audio/ogg",
};

/** Speech, in one answer or in pieces; MiniMax writes sound in hex. */
export async function minimaxSpeech(call: ProviderCall): Promise<ProviderResult> {
  const { http } = call;
  const input = new Inputs(call);
  const format = (input.text("format") ?? "mp3").toLowerCase();
  const contentType = contentTypes[format];
  if (contentType === undefined) {
    throw input.wrong("format", `must be one of ${Object.keys(contentTypes).join(", ")}`);
  }
  const language = input.text("language");
  const isStreamed = isInPieces(call, format);
  const body = given({
    model: call.model,
    text: input.required("text"),
    stream: isStreamed,
    // Without it the last piece is the whole sound once more.
    ...(isStreamed
      ? { stream_options: { exclude_aggregated_audio: true } }
      : { output_format: "hex" }),
    voice_setting: given({
      voice_id: voiceOf(call, input, voiceDefault),
      speed: input.number("speed"),
    }),
    audio_setting: given({ format, sample_rate: input.number("sample_rate") }),
    language_boost: language === undefined ? undefined : languageBoost(language),
  });
  input.finish();
  if (isStreamed) {
    let last: unknown;
    const pieces = streamed(call, body, (piece) => (last = piece));
    return soundPieces(call, { contentType, pieces, metrics: () => metricsOf(last) });
  }
  const answer = await http.json({ method: "POST", path, body });
  checkBaseResponse(http, answer.body);
  const audio = promised(textAt(answer.body, "data.audio"), http, "audio");
  return {
    output: wholeSound(call, toDataUri({ contentType, bytes: Buffer.from(audio, "hex") })),
    metrics: metricsOf(answer.body),
  };
}

/** The last piece (status 2) says what was counted. */
async function* streamed(
  { http }: ProviderCall,
  body: Readonly<Record<string, unknown>>,
  onEnd: (piece: unknown) => void,
): AsyncGenerator<Buffer, void, void> {
  let isComplete = false;
  for await (const { data } of http.events({ method: "POST", path, body })) {
    const piece = parseEvent(http.provider, data);
    checkBaseResponse(http, piece);
    yield Buffer.from(textAt(piece, "data.audio") ?? "", "hex");
    isComplete ||= numberAt(piece, "data.status") === 2;
    if (isComplete) onEnd(piece);
  }
  if (!isComplete) throw cutStream(http.provider);
}

function metricsOf(body: unknown): ProviderResult["metrics"] {
  const lengthMs = numberAt(body, "extra_info.audio_length");
  return given({
    characters: numberAt(body, "extra_info.usage_characters"),
    seconds: lengthMs === undefined ? undefined : lengthMs / 1000,
  });
}

/** Cantonese is the one language with a name of its own. */
function languageBoost(language: string): string {
  return language === "yue" ? "Chinese,Yue" : languageName(language);
}
