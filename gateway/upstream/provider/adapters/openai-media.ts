import { isObject } from "../../../http/body.ts";
import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { base64DataUri, fileName, toDataUri } from "../data-uri.ts";
import { FormBody, type FormPart } from "../form.ts";
import { wireUsage } from "../wire-format.ts";
import { at, listAt, numberAt, promisedSome, textAt } from "./answer.ts";
import { given, Inputs } from "./inputs.ts";
import { namedInputs, type OpenAiDialect } from "./openai-input.ts";

/** `POST /embeddings`. */
export async function runOpenAiEmbeddings(
  call: ProviderCall,
  dialect: OpenAiDialect,
): Promise<ProviderResult> {
  const { http, model } = call;
  const rest = namedInputs(call, call.input, { names: ["input", "dimensions"], dialect });
  const body = { model, ...rest, encoding_format: "float" };
  const answer = await http.json({ method: "POST", path: "/embeddings", body });
  const rows = promisedSome(listAt(answer.body, "data"), http, "embeddings");
  const ordered = rows.toSorted(
    (a, b) => (numberAt(a, "index") ?? 0) - (numberAt(b, "index") ?? 0),
  );
  return {
    output: ordered.map((row) => at(row, "embedding")),
    metrics: tokens(answer.body),
  };
}

const imageNames = [
  "prompt",
  "n",
  "size",
  "quality",
  "style",
  "background",
  "output_format",
] as const;

/** `POST /images/generations`. */
export async function runOpenAiImages(
  call: ProviderCall,
  dialect: OpenAiDialect,
): Promise<ProviderResult> {
  const body = {
    model: call.model,
    ...namedInputs(call, call.input, { names: imageNames, dialect }),
  };
  const answer = await call.http.json({ method: "POST", path: "/images/generations", body });
  return imagesOf(call, answer.body);
}

/** `POST /images/edits`: one or more images, a mask, and what is to be done. */
export async function runOpenAiImageEdit(
  call: ProviderCall,
  dialect: OpenAiDialect,
): Promise<ProviderResult> {
  const { image, mask, ...rest } = call.input;
  const fields = namedInputs(call, rest, { names: imageNames, dialect });
  const images = new Inputs({ ...call, input: { image } }).texts("image");
  const parts: FormPart[] = [{ name: "model", value: call.model }];
  for (const [index, uri] of images.entries()) {
    const name = images.length === 1 ? "image" : "image[]";
    parts.push(await filePart(call, { name, uri, stem: `image-${index}` }));
  }
  if (typeof mask === "string")
    parts.push(await filePart(call, { name: "mask", uri: mask, stem: "mask" }));
  for (const [name, value] of Object.entries(fields)) parts.push({ name, value: String(value) });
  const answer = await call.http.json({
    method: "POST",
    path: "/images/edits",
    body: new FormBody(parts),
  });
  return imagesOf(call, answer.body);
}

/** A voice that all of OpenAI's speech models have. */
const voiceDefault = "alloy";

/** `POST /audio/speech`; the answer is the sound itself. */
export async function runOpenAiSpeech(
  call: ProviderCall,
  dialect: OpenAiDialect,
): Promise<ProviderResult> {
  const { text, format, voice, ...rest } = call.input;
  const body = given({
    model: call.model,
    input: text,
    voice: voice ?? voiceDefault,
    response_format: format ?? undefined,
    ...namedInputs(call, rest, { names: ["speed", "instructions"], dialect }),
  });
  const answer = await call.http.bytes({ method: "POST", path: "/audio/speech", body });
  const contentType = String(answer.headers["content-type"] ?? "audio/mpeg");
  const characters = typeof text === "string" ? Array.from(text).length : 0;
  return {
    output: toDataUri({ contentType: bareType(contentType), bytes: answer.body }),
    metrics: { characters },
  };
}

/** `POST /audio/transcriptions`. */
export async function runOpenAiTranscription(
  call: ProviderCall,
  dialect: OpenAiDialect,
): Promise<ProviderResult> {
  const { audio, timestamps, ...rest } = call.input;
  const inputs = new Inputs({ ...call, input: { audio } });
  const names = ["language", "prompt", "temperature"];
  const fields = namedInputs(call, rest, { names, dialect });
  const granularity = timestamps === "none" ? undefined : timestamps;
  const parts: FormPart[] = [
    await filePart(call, { name: "file", uri: inputs.required("audio"), stem: "audio" }),
    { name: "model", value: call.model },
    { name: "response_format", value: granularity === undefined ? "json" : "verbose_json" },
    ...Object.entries(fields).map(([name, value]) => ({ name, value: String(value) })),
  ];
  if (typeof granularity === "string") {
    parts.push({ name: "timestamp_granularities[]", value: granularity });
  }
  const { body } = await call.http.json({
    method: "POST",
    path: "/audio/transcriptions",
    body: new FormBody(parts),
  });
  return {
    output: given({
      text: textAt(body, "text") ?? "",
      language: at(body, "language"),
      duration: numberAt(body, "duration"),
      segments: at(body, "segments"),
      words: at(body, "words"),
    }),
    metrics: {
      ...tokens(body),
      ...given({ seconds: numberAt(body, "duration") ?? numberAt(body, "usage.seconds") }),
    },
  };
}

async function filePart(
  call: ProviderCall,
  { name, uri, stem }: { readonly name: string; readonly uri: string; readonly stem: string },
): Promise<FormPart> {
  const { contentType, bytes } = await call.http.file(uri);
  return { name, fileName: fileName(stem, contentType), contentType, bytes };
}

/** Images come as base64, or as URLs that last an hour. */
function imagesOf(call: ProviderCall, body: unknown): ProviderResult {
  const type = `image/${textAt(body, "output_format") ?? textAt(call.input, "output_format") ?? "png"}`;
  const images = listAt(body, "data").flatMap((image) => {
    const base64 = textAt(image, "b64_json");
    return (base64 === undefined ? textAt(image, "url") : base64DataUri(type, base64)) ?? [];
  });
  const output = promisedSome(images, call.http, "images");
  return { output, metrics: { ...tokens(body), images: output.length } };
}

function tokens(body: unknown): Readonly<Record<string, unknown>> {
  const usage = at(body, "usage");
  return isObject(usage) ? wireUsage("embeddings", usage) : {};
}

function bareType(contentType: string): string {
  return contentType.split(";", 1)[0]?.trim() ?? contentType;
}
