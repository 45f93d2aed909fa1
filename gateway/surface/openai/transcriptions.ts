import { GatewayError } from "../../errors.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import { renderSrt, renderVtt } from "../../media/subtitles.ts";
import { normalType } from "../../media/output.ts";
import { readTranscript, transcriptionInput, type Transcript } from "../../media/transcription.ts";
import { countedTokens } from "../../media/usage.ts";
import type { Outcome, Run } from "../../prediction/run.ts";
import { findCallable, startRun } from "../../prediction/start.ts";
import { waitForCaller } from "../../prediction/wait.ts";
import { isTextOutput, outputText } from "../../catalog/schema.ts";
import { chunkJson } from "../../stream/event.ts";
import { sendFrames } from "../../stream/send-frames.ts";
import { toDataUri } from "../../upstream/provider/data-uri.ts";
import { openAiError } from "./errors.ts";
import { readForm, type Form, type FormFile } from "./multipart.ts";

const formats = ["json", "text", "srt", "vtt", "verbose_json"] as const;
type Format = (typeof formats)[number];
type Granularity = "segment" | "word";

interface TranscriptionRequest {
  readonly format: Format;
  readonly granularities: readonly Granularity[];
  readonly isTranslation: boolean;
}

/** Fields that are read here, or that ask for what every transcription has. */
const knownFields: ReadonlySet<string> = new Set([
  "model",
  "language",
  "prompt",
  "temperature",
  "response_format",
  "timestamp_granularities",
  "timestamp_granularities[]",
  "stream",
  "user",
]);

/** `POST /v1/audio/transcriptions` and `…/translations`: what is said in a sound, as text. */
export async function createTranscription(
  call: Call,
  services: Services,
  options: { readonly isTranslation: boolean },
): Promise<void> {
  allowMethods(call, "POST");
  const form = await readForm(call.request);
  const text = (name: string): string | undefined => form.fields.get(name)?.at(-1);
  const model = findCallable(call, services, text("model") ?? missing("model"));
  const request: TranscriptionRequest = {
    format: responseFormat(text("response_format")),
    granularities: granularities(form),
    isTranslation: options.isTranslation,
  };
  const input = transcriptionInput(model.entry, {
    audio: soundUri(form),
    isTranslation: request.isTranslation,
    language: text("language"),
    prompt: text("prompt"),
    temperature: text("temperature"),
    timestamps: wantedTimes(request),
    rest: restOf(form),
  });
  const isStreamed = text("stream") === "true";
  const run = startRun(call, services, {
    model,
    input,
    isWhole: !isStreamed,
    // What has been sent of it cannot be taken back.
    overrides: { onStreamCut: "fail" },
  });
  if (isStreamed) {
    await sendFrames({
      run,
      response: call.response,
      deadlines: services.deadlines,
      frames: transcriptFrames(run, call.signal),
      renderFailure: (failure) => frame({ type: "error", ...openAiError(failure) }),
    });
    return;
  }
  const outcome = await waitForCaller(run, call.signal);
  if (outcome.failure !== undefined) throw outcome.failure;
  send(call, { run, outcome, request });
}

function send(
  call: Call,
  options: {
    readonly run: Run;
    readonly outcome: Outcome;
    readonly request: TranscriptionRequest;
  },
): void {
  const { run, outcome, request } = options;
  const transcript = readTranscript(run.entry, outcome.output);
  const headers = startHeaders(run);
  const sendText = (text: string, type = "text/plain; charset=utf-8"): void => {
    call.response.writeHead(200, { "content-type": type, ...headers }).end(text);
  };
  switch (request.format) {
    case "text":
      return sendText(`${transcript.text}\n`);
    case "srt":
      return sendText(renderSrt(timed(run, transcript)));
    case "vtt":
      return sendText(renderVtt(timed(run, transcript)), "text/vtt; charset=utf-8");
    case "verbose_json":
      return sendJson(call.response, { body: verboseBody(transcript, request), headers });
    default: {
      const body = { text: transcript.text, ...usageField(transcript, outcome) };
      return sendJson(call.response, { body, headers });
    }
  }
}

/** Lines with times. @throws `GatewayError` `unsupported_parameter` when the model gave none */
function timed(run: Run, { segments, text }: Transcript): Transcript["segments"] {
  if (segments.length > 0 || text === "") return segments;
  throw new GatewayError(
    "unsupported_parameter",
    `${run.entry.id} does not say when what was said, so there are no subtitles of it.`,
    { parameter: "response_format", hint: "Ask for json or text." },
  );
}

/** Facts of a segment that the model does not tell are left out: a made-up probability is worse than none. */
function verboseBody(transcript: Transcript, request: TranscriptionRequest): unknown {
  const { text, language, duration, segments, words } = transcript;
  const wantsSegments =
    request.granularities.length === 0 || request.granularities.includes("segment");
  return {
    task: request.isTranslation ? "translate" : "transcribe",
    ...(language === undefined ? {} : { language }),
    ...(duration === undefined ? {} : { duration }),
    text,
    ...(wantsSegments
      ? {
          segments: segments.map(({ start, end, text: said, facts }, index) => ({
            seek: 0,
            tokens: [],
            ...facts,
            id: index,
            start,
            end,
            text: said,
          })),
        }
      : {}),
    ...(request.granularities.includes("word") ? { words } : {}),
    ...(duration === undefined ? {} : { usage: { type: "duration", seconds: duration } }),
  };
}

function usageField(transcript: Transcript, outcome: Outcome): object {
  const tokens = countedTokens([outcome.metrics]);
  if (tokens !== undefined) return { usage: tokenUsage(tokens) };
  const { duration } = transcript;
  return duration === undefined ? {} : { usage: { type: "duration", seconds: duration } };
}

function tokenUsage(tokens: { readonly input: number; readonly output: number }): object {
  return {
    type: "tokens",
    input_tokens: tokens.input,
    output_tokens: tokens.output,
    total_tokens: tokens.input + tokens.output,
  };
}

/** `transcript.text.delta` for each piece of a model that yields text, or one for the whole, then `….done`. */
async function* transcriptFrames(
  run: Run,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  let sent = "";
  const isYielded = isTextOutput(run.entry) && run.entry.mapping?.output === undefined;
  for await (const batch of run.log.read({ from: 0, signal })) {
    for (const event of isYielded ? batch : []) {
      if (event.kind !== "output") continue;
      const delta = outputText(run.entry, JSON.parse(chunkJson(event.data).toString("utf8")));
      sent += delta;
      if (delta !== "") yield frame({ type: "transcript.text.delta", delta });
    }
  }
  const { outcome } = run;
  if (outcome === undefined) return;
  if (outcome.failure !== undefined) throw outcome.failure;
  const { text } = readTranscript(run.entry, outcome.output);
  if (sent === "" && text !== "") yield frame({ type: "transcript.text.delta", delta: text });
  const tokens = countedTokens([outcome.metrics]);
  yield frame({
    type: "transcript.text.done",
    text: sent === "" ? text : sent,
    ...(tokens === undefined ? {} : { usage: tokenUsage(tokens) }),
  });
}

function soundUri(form: Form): string {
  const file: FormFile | undefined = form.files.find(({ field }) => field === "file");
  if (file === undefined) return missing("file");
  if (file.bytes.length === 0) {
    throw new GatewayError("invalid_request", "The file is empty.", { parameter: "file" });
  }
  const contentType = normalType(file.contentType, file.bytes);
  return toDataUri({ contentType, bytes: file.bytes });
}

function responseFormat(format: string | undefined): Format {
  if (format === undefined) return "json";
  const known = formats.find((name) => name === format);
  if (known !== undefined) return known;
  throw new GatewayError(
    "invalid_request",
    `response_format must be one of ${formats.join(", ")}.`,
    { parameter: "response_format" },
  );
}

function granularities(form: Form): readonly Granularity[] {
  const wanted =
    form.fields.get("timestamp_granularities[]") ??
    form.fields.get("timestamp_granularities") ??
    [];
  return wanted.map((name) => {
    if (name === "word" || name === "segment") return name;
    throw new GatewayError(
      "invalid_request",
      "timestamp_granularities must be of segment and word.",
      { parameter: "timestamp_granularities" },
    );
  });
}

function wantedTimes({
  format,
  granularities: wanted,
}: TranscriptionRequest): "none" | Granularity {
  if (wanted.includes("word")) return "word";
  const needsSegments = format === "srt" || format === "vtt" || format === "verbose_json";
  return needsSegments || wanted.length > 0 ? "segment" : "none";
}

/** Fields for inputs of the same name, `NAME[]` as lists. */
function restOf(form: Form): Readonly<Record<string, unknown>> {
  const rest: Record<string, unknown> = {};
  for (const [name, texts] of form.fields) {
    if (knownFields.has(name)) continue;
    if (name.endsWith("[]")) rest[name.slice(0, -2)] = texts;
    else rest[name] = texts.at(-1);
  }
  return rest;
}

function missing(parameter: string): never {
  throw new GatewayError("invalid_request", `${parameter} is required.`, { parameter });
}

function frame(body: unknown): string {
  return `data: ${JSON.stringify(body)}\n\n`;
}
