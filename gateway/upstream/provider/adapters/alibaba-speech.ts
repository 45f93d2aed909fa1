import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { listAt, numberAt, promised, textAt } from "./answer.ts";
import { given, Inputs } from "./inputs.ts";
import { languageName } from "./language-name.ts";
import { wholeSound } from "./sound-pieces.ts";
import { voiceOf } from "./voice.ts";

const path = "/api/v1/services/aigc/multimodal-generation/generation";

/** Qwen's speech requires a voice; its documents' examples speak with this one. */
const voiceDefault = "Cherry";

/** Speech from Qwen3-TTS: the URL of a WAV file (24 kHz, 16 bit, one channel). */
export async function alibabaSpeech(call: ProviderCall): Promise<ProviderResult> {
  const { http, model } = call;
  const input = new Inputs(call);
  const text = input.required("text");
  const language = input.text("language");
  if ((input.text("format") ?? "wav").toLowerCase() !== "wav") {
    throw input.wrong("format", "must be wav, which is all that this model makes");
  }
  if (!model.includes("instruct")) input.refuse("instructions");
  const body = {
    model,
    input: given({
      text,
      voice: voiceOf(call, input, voiceDefault),
      language_type: language === undefined ? undefined : languageName(language),
      instructions: input.text("instructions"),
    }),
  };
  input.finish();
  const answer = await http.json({ method: "POST", path, body });
  const url = promised(textAt(answer.body, "output.audio.url"), http, "url of the audio");
  const characters = numberAt(answer.body, "usage.characters") ?? Array.from(text).length;
  return { output: wholeSound(call, url), metrics: { characters } };
}

/** A transcript from Qwen3-ASR, in one answer. */
export async function alibabaTranscript(call: ProviderCall): Promise<ProviderResult> {
  const { http, model } = call;
  const input = new Inputs(call);
  const audio = input.required("audio");
  const prompt = input.text("prompt");
  const language = input.text("language");
  if ((input.text("timestamps") ?? "none") !== "none") {
    throw input.unsupported("timestamps");
  }
  input.finish();
  const user = { role: "user", content: [{ audio }] };
  // The context goes where a chat has its system prompt.
  const system = { role: "system", content: [{ text: prompt }] };
  const body = {
    model,
    input: { messages: prompt === undefined ? [user] : [system, user] },
    parameters: { asr_options: given({ language, enable_itn: false }) },
  };
  const answer = await http.json({ method: "POST", path, body });
  const message = "output.choices.0.message";
  // Silence has no text.
  const text = listAt(answer.body, `${message}.content`)
    .flatMap((part) => textAt(part, "text") ?? [])
    .join("");
  const seconds = numberAt(answer.body, "usage.seconds");
  return {
    output: given({
      text,
      language: textAt(answer.body, `${message}.annotations.0.language`) ?? language,
      duration: seconds,
    }),
    metrics: given({ seconds }),
  };
}
