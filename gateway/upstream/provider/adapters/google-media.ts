import { GatewayError } from "../../../errors.ts";
import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { base64DataUri } from "../data-uri.ts";
import { at, listAt, promised, promisedSome, textAt } from "./answer.ts";
import { geminiUsage } from "./google-answer.ts";
import { geminiPart } from "./google-input.ts";
import { given, Inputs } from "./inputs.ts";
import { wavOf } from "./wav.ts";

type Body = Readonly<Record<string, unknown>>;

function post(call: ProviderCall, verb: string, body: Body): ReturnType<typeof call.http.json> {
  const path = `/models/${encodeURIComponent(call.model)}:${verb}`;
  return call.http.json({ method: "POST", path, body });
}

const taskTypes: Readonly<Record<string, string>> = {
  query: "RETRIEVAL_QUERY",
  document: "RETRIEVAL_DOCUMENT",
};

/** `batchEmbedContents`: each text is a request of its own. */
export async function runGeminiEmbeddings(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const texts = input.texts("input");
  const kind = input.text("input_type");
  const options = given({
    taskType: kind === undefined ? undefined : (taskTypes[kind] ?? kind.toUpperCase()),
    outputDimensionality: input.number("dimensions"),
  });
  input.finish();
  const model = `models/${call.model}`;
  const requests = texts.map((text) => ({ model, content: { parts: [{ text }] }, ...options }));
  const { body } = await post(call, "batchEmbedContents", { requests });
  const rows = promisedSome(listAt(body, "embeddings"), call.http, "embeddings");
  return { output: rows.map((row) => at(row, "values")), metrics: given({ ...geminiUsage(body) }) };
}

/** Images by a Gemini model: an answer with images in it, from a prompt and images. */
export async function runGeminiImage(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const prompt = input.text("prompt") ?? "";
  const images = input.texts("image");
  const config = imageConfig(input);
  if ((input.number("n") ?? 1) !== 1) {
    throw input.unsupported("n", "one call makes one image");
  }
  const seed = input.number("seed");
  input.finish();
  const parts = await Promise.all([
    ...(prompt === "" ? [] : [geminiPart(call, { type: "text", text: prompt })]),
    ...images.map((uri) => geminiPart(call, { type: "image", uri })),
  ]);
  const generationConfig = given({
    responseModalities: ["IMAGE"],
    imageConfig: config,
    seed,
  });
  const { body } = await post(call, "generateContent", {
    contents: [{ role: "user", parts }],
    generationConfig,
  });
  const output = inlineFiles(call, body).map(({ mimeType, data }) => base64DataUri(mimeType, data));
  return { output, metrics: given({ ...geminiUsage(body), images: output.length }) };
}

const aspectRatios: ReadonlySet<string> = new Set([
  "1:1",
  "2:3",
  "3:2",
  "3:4",
  "4:3",
  "4:5",
  "5:4",
  "9:16",
  "16:9",
  "21:9",
]);

/** The API has ratios and three sizes; `1024x1024` is the ratio of its sides. */
function imageConfig(input: Inputs): Body | undefined {
  const aspectRatio = input.text("aspect_ratio");
  if (!input.has("size")) return aspectRatio === undefined ? undefined : { aspectRatio };
  const { width, height } = input.size() ?? { width: 1, height: 1 };
  const divisor = greatestDivisor(width, height);
  const ratio = `${width / divisor}:${height / divisor}`;
  if (!aspectRatios.has(ratio)) {
    throw input.wrong("size", `must have one of the ratios ${[...aspectRatios].join(", ")}`);
  }
  const longest = Math.max(width, height);
  // A megapixel is what every model makes; only newer ones know larger sizes.
  const imageSize = longest <= 1_792 ? undefined : longest <= 3_072 ? "2K" : "4K";
  return given({ aspectRatio: aspectRatio ?? ratio, imageSize });
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? Math.max(a, 1) : greatestDivisor(b, a % b);
}

/** Imagen's `predict`. */
export async function runImagen(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const prompt = input.required("prompt");
  const parameters = given({ sampleCount: input.number("n") ?? 1, ...imageConfig(input) });
  input.finish();
  const { body } = await post(call, "predict", { instances: [{ prompt }], parameters });
  const images = listAt(body, "predictions").flatMap((image) => {
    const data = textAt(image, "bytesBase64Encoded");
    return data === undefined ? [] : base64DataUri(textAt(image, "mimeType") ?? "image/png", data);
  });
  // What the filter took away is simply missing.
  const output = promisedSome(images, call.http, "images (they may have been filtered)");
  return { output, metrics: { images: output.length } };
}

/** A voice that all of Google's speech models have. */
const voiceDefault = "Kore";

/** Speech by a Gemini model: raw samples, given out as WAV. */
export async function runGeminiSpeech(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const text = input.required("text");
  const instructions = input.text("instructions");
  const format = input.text("format") ?? "wav";
  if (format !== "wav") throw input.unsupported("format", `${format} is not made, wav is`);
  const speechConfig = given({
    voiceConfig: { prebuiltVoiceConfig: { voiceName: input.text("voice") ?? voiceDefault } },
    languageCode: input.text("language"),
  });
  input.finish();
  const said = instructions === undefined ? text : `${instructions}: ${text}`;
  const { body } = await post(call, "generateContent", {
    contents: [{ role: "user", parts: [{ text: said }] }],
    generationConfig: { responseModalities: ["AUDIO"], speechConfig },
  });
  const [sound] = inlineFiles(call, body);
  const { mimeType, data } = promised(sound, call.http, "sound");
  const metrics = given({ ...geminiUsage(body), characters: Array.from(text).length });
  if (!/^audio\/l16/i.test(mimeType)) return { output: base64DataUri(mimeType, data), metrics };
  const sampleRate = Number(/rate=(\d+)/.exec(mimeType)?.[1] ?? 24_000);
  const wav = wavOf(Buffer.from(data, "base64"), { sampleRate });
  return { output: base64DataUri("audio/wav", wav.toString("base64")), metrics };
}

/** The files in an answer. @throws `GatewayError` `prediction_failed` with the reason when there is none */
function inlineFiles(
  call: ProviderCall,
  body: unknown,
): readonly { readonly mimeType: string; readonly data: string }[] {
  const files = listAt(body, "candidates.0.content.parts").flatMap((part) => {
    const data = textAt(part, "inlineData.data");
    const mimeType = textAt(part, "inlineData.mimeType") ?? "application/octet-stream";
    return data === undefined || at(part, "thought") === true ? [] : { mimeType, data };
  });
  if (files.length > 0) return files;
  const reason =
    textAt(body, "candidates.0.finishReason") ?? textAt(body, "promptFeedback.blockReason");
  const said = listAt(body, "candidates.0.content.parts").map((part) => textAt(part, "text") ?? "");
  throw new GatewayError(
    "prediction_failed",
    `${call.http.provider} made nothing (${reason ?? "no reason given"}). ${said.join("")}`.trim(),
  );
}
