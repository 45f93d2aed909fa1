import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { base64DataUri, toDataUri } from "../data-uri.ts";
import { brokenAnswer } from "../failure.ts";
import { at, listAt, numberAt, promised, promisedSome, textAt } from "./answer.ts";
import { given, Inputs } from "./inputs.ts";
import { runWorkersAi } from "./workers-ai-run.ts";

/** Embeddings: `{text: […]}` gives `{shape, data}`. */
export async function runWorkersAiEmbeddings(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const text = input.texts("input");
  input.finish();
  const result = await resultOf(call, { text });
  return { output: promisedSome(listAt(result, "data"), call.http, "embeddings"), metrics: {} };
}

/** Images from a text, or from a text and an image. */
export async function runWorkersAiImage(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const size = input.size();
  const [image, ...others] = input.texts("image");
  if (others.length > 0) throw input.unsupported("image", "it takes one");
  if ((input.number("n") ?? 1) !== 1) throw input.unsupported("n", "one call makes one image");
  const steps = input.number("steps");
  const file = image === undefined ? undefined : await call.http.file(image);
  const body = given({
    prompt: input.text("prompt"),
    negative_prompt: input.text("negative_prompt"),
    width: size?.width,
    height: size?.height,
    seed: input.number("seed"),
    guidance: input.number("guidance"),
    strength: input.number("strength"),
    // FLUX has a name of its own for them.
    [call.model.includes("flux") ? "steps" : "num_steps"]: steps,
    image_b64: file?.bytes.toString("base64"),
  });
  input.finish();
  const answer = await runWorkersAi(call, body);
  if (answer.kind === "file") return { output: [toDataUri(answer.file)], metrics: { images: 1 } };
  const base64 = promised(textAt(answer.result, "image"), call.http, "image");
  return { output: [base64DataUri(imageTypeOf(base64), base64)], metrics: { images: 1 } };
}

/** Deepgram's Aura takes `text` and a speaker and answers sound; MeloTTS takes `prompt` and answers base64. */
export async function runWorkersAiSpeech(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const text = input.required("text");
  const isMelo = call.model.includes("melotts");
  const body = isMelo
    ? given({ prompt: text, lang: input.text("language") })
    : given({
        text,
        speaker: input.text("voice"),
        ...encodingOf(input),
        sample_rate: input.number("sample_rate"),
      });
  if (isMelo && input.has("format") && input.text("format") !== "mp3") {
    throw input.unsupported("format", "it makes mp3");
  }
  input.finish();
  const metrics = { characters: Array.from(text).length };
  const answer = await runWorkersAi(call, body);
  if (answer.kind === "file") return { output: toDataUri(answer.file), metrics };
  const base64 = promised(textAt(answer.result, "audio"), call.http, "audio");
  return { output: base64DataUri("audio/mpeg", base64), metrics };
}

/** A format as people name it is an encoding and a container. */
function encodingOf(input: Inputs): Readonly<Record<string, string>> {
  const format = input.text("format");
  switch (format) {
    case undefined:
      return {};
    case "mp3":
    case "flac":
    case "aac":
      return { encoding: format };
    case "opus":
      return { encoding: "opus", container: "ogg" };
    case "wav":
      return { encoding: "linear16", container: "wav" };
    case "pcm":
      return { encoding: "linear16", container: "none" };
    default:
      throw input.unsupported("format", `${format} is not made`);
  }
}

/** Whisper large takes base64 in JSON and options; the others take the file itself and none. */
export async function runWorkersAiTranscription(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const { contentType, bytes } = await call.http.file(input.required("audio"));
  const timestamps = input.text("timestamps");
  if (timestamps === "word" && !call.model.includes("whisper")) {
    throw input.unsupported("timestamps");
  }
  const isLarge = call.model.includes("whisper-large-v3-turbo");
  const body = isLarge
    ? given({
        audio: bytes.toString("base64"),
        language: input.text("language"),
        initial_prompt: input.text("prompt"),
      })
    : bytes;
  input.finish();
  const headers = isLarge ? {} : { "content-type": contentType };
  const result = await resultOf(call, body, headers);
  const spoken = "results.channels.0.alternatives.0";
  const seconds = numberAt(result, "transcription_info.duration");
  const isTimed = timestamps !== undefined && timestamps !== "none";
  return {
    output: given({
      text: textAt(result, "text") ?? textAt(result, `${spoken}.transcript`) ?? "",
      language: textAt(result, "transcription_info.language"),
      duration: seconds,
      segments: isTimed ? at(result, "segments") : undefined,
      words: timestamps === "word" ? wordsOf(result) : undefined,
    }),
    metrics: given({ seconds }),
  };
}

/** Words stand in the answer, or in each of its segments. */
function wordsOf(result: unknown): readonly unknown[] {
  const words = listAt(result, "words");
  if (words.length > 0) return words;
  return listAt(result, "segments").flatMap((segment) => listAt(segment, "words"));
}

/** LLaVA and UForm: an image as a list of bytes. */
export async function runWorkersAiCaption(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const { bytes } = await call.http.file(input.required("image"));
  const body = given({
    image: [...bytes],
    prompt: input.text("prompt"),
    max_tokens: input.number("max_tokens"),
  });
  input.finish();
  const result = await resultOf(call, body);
  return {
    output: promised(textAt(result, "description"), call.http, "description"),
    metrics: {},
  };
}

async function resultOf(
  call: ProviderCall,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const answer = await runWorkersAi(call, body, headers);
  if (answer.kind === "result") return answer.result;
  throw brokenAnswer(call.http.provider, answer.file.contentType || "no content type");
}

/** Of an image in base64, by its first letters. */
function imageTypeOf(base64: string): string {
  if (base64.startsWith("iVBOR")) return "image/png";
  if (base64.startsWith("UklGR")) return "image/webp";
  return "image/jpeg";
}
