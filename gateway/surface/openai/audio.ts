import { GatewayError } from "../../errors.ts";
import { readJsonObject } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { startHeaders } from "../../http/respond.ts";
import { fileContent, type DownloadOptions } from "../../media/download.ts";
import { requiredText } from "../../media/inputs.ts";
import { outputFiles, type FileContent } from "../../media/output.ts";
import { assertFormat, isJoinable, speechInput } from "../../media/speech.ts";
import { inputTokens } from "../../media/usage.ts";
import type { Run } from "../../prediction/run.ts";
import { findCallable, startRun } from "../../prediction/start.ts";
import { chunkJson } from "../../stream/event.ts";
import { sendFrames } from "../../stream/send-frames.ts";
import { openAiError } from "./errors.ts";

/** Characters of one request, as OpenAI bounds them. */
const speechCharactersMax = 4096;

/** `POST /v1/audio/speech`: a text as sound, as the bytes of a file or as server-sent events. */
export async function createSpeech(call: Call, services: Services): Promise<void> {
  allowMethods(call, "POST");
  const body = await readJsonObject(call.request);
  const model = findCallable(call, services, requiredText(body, "model"), { body });
  const text = speechText(body);
  const {
    model: _model,
    input: _input,
    voice,
    response_format: format,
    speed,
    instructions,
    stream_format: streamFormat,
    ...rest
  } = body;
  const isEvents = isEventStream(streamFormat);
  const input = speechInput(model.entry, { text, voice, format, speed, instructions, rest });
  const run = startRun(call, services, {
    model,
    input,
    // What has been sent of it cannot be taken back.
    overrides: { onStreamCut: "fail" },
  });
  const pieces = speechPieces(run, {
    format,
    allow: services.allowedHosts,
    signal: call.signal,
  });
  if (!isEvents) {
    await sendSound(call, { run, pieces });
    return;
  }
  await sendFrames({
    run,
    response: call.response,
    deadlines: services.deadlines,
    frames: speechFrames(run, pieces, Buffer.byteLength(text)),
    renderFailure: (failure) => frame({ type: "error", ...openAiError(failure) }),
  });
}

/**
 * The sound as the model gives it: whole, or piece by piece from a model that yields them.
 * @throws `GatewayError`, the run's failure
 */
async function* speechPieces(
  run: Run,
  options: DownloadOptions & { readonly format: unknown },
): AsyncGenerator<FileContent, void, void> {
  let first: FileContent | undefined;
  for await (const batch of run.log.read({ from: 0, signal: options.signal })) {
    for (const event of batch) {
      if (event.kind !== "output") continue;
      const chunk: unknown = JSON.parse(chunkJson(event.data).toString("utf8"));
      for (const file of outputFiles(run.entry, chunk, "audio")) {
        const content = await fileContent(file, options);
        if (first === undefined) assertFormat(run.entry, options.format, content);
        else assertJoinable(run, content.contentType);
        first = content;
        yield content;
      }
    }
  }
  if (run.outcome?.failure !== undefined) throw run.outcome.failure;
  if (first === undefined && run.outcome !== undefined) {
    throw new GatewayError("upstream_failed", `${run.entry.id} answered without a sound.`);
  }
}

function assertJoinable(run: Run, contentType: string): void {
  if (isJoinable(contentType)) return;
  throw new GatewayError(
    "upstream_failed",
    `${run.entry.id} gave several files of ${contentType}, which cannot follow each other in one.`,
    { hint: "Let the model join them, or call it as a prediction." },
  );
}

/** The file as the body; its type is the one that the model gave. */
async function sendSound(
  call: Call,
  options: { readonly run: Run; readonly pieces: AsyncGenerator<FileContent, void, void> },
): Promise<void> {
  const { run, pieces } = options;
  const { response } = call;
  const detach = run.attach();
  try {
    for await (const { contentType, bytes } of pieces) {
      if (response.destroyed) return;
      if (!response.headersSent) {
        response.writeHead(200, { "content-type": soundType(contentType), ...startHeaders(run) });
      }
      response.write(bytes);
    }
    response.end();
  } finally {
    detach();
  }
}

/** OpenAI's type for headerless samples; a browser would offer `application/octet-stream` as a download. */
function soundType(contentType: string): string {
  return contentType === "audio/l16" ? "audio/pcm" : contentType;
}

async function* speechFrames(
  run: Run,
  pieces: AsyncGenerator<FileContent, void, void>,
  inputBytes: number,
): AsyncGenerator<string, void, void> {
  for await (const { bytes } of pieces) {
    yield frame({ type: "speech.audio.delta", audio: bytes.toString("base64") });
  }
  const metrics = run.outcome?.metrics ?? {};
  const { tokens, isEstimated } = inputTokens([metrics], inputBytes);
  const { output_tokens: counted } = metrics;
  const outputTokens = typeof counted === "number" ? counted : 0;
  yield frame({
    type: "speech.audio.done",
    usage: {
      input_tokens: tokens,
      output_tokens: outputTokens,
      total_tokens: tokens + outputTokens,
      ...(isEstimated ? { estimated: true } : {}),
    },
  });
}

function speechText(body: Readonly<Record<string, unknown>>): string {
  const text = requiredText(body, "input");
  if (text.length <= speechCharactersMax) return text;
  throw new GatewayError(
    "invalid_request",
    `input has ${text.length} characters, more than ${speechCharactersMax}.`,
    { parameter: "input" },
  );
}

function isEventStream(format: unknown): boolean {
  if (format === undefined || format === null || format === "audio") return false;
  if (format === "sse") return true;
  throw new GatewayError("invalid_request", "stream_format must be audio or sse.", {
    parameter: "stream_format",
  });
}

function frame(body: unknown): string {
  return `data: ${JSON.stringify(body)}\n\n`;
}
