import { GatewayError } from "../../../errors.ts";
import type { ProviderAdapter, ProviderCall, ProviderRequest, ProviderResult } from "../adapter.ts";
import { cutStream, jobFailed } from "../failure.ts";
import { at, numberAt, promised, textAt } from "./answer.ts";
import { ChatOutput } from "./chat-output.ts";
import { parseEvent } from "./event-json.ts";
import { given } from "./inputs.ts";
import { pollJob, type JobState } from "./poll-job.ts";
import { replicateInput } from "./replicate-input.ts";

/** Replicate itself holds the line this long before it answers with an unfinished prediction (`Prefer: wait`). */
const waitSeconds = 60;
/** What replicate-js looks by; predictions take from a second to minutes. */
const pollIntervalMs = 500;

/** Replicate: any of its models, by predictions that are waited for, streamed, or looked at. */
export const replicate: ProviderAdapter = {
  id: "replicate",
  title: "Replicate",
  baseUrl: "https://api.replicate.com/v1",
  source: {
    document: "npm replicate 1.4.0, replicate.com/docs/reference/http (OpenAPI document)",
    date: "2026-08-21",
  },
  authorize: (key) => ({ authorization: `Bearer ${key}` }),
  async run(call) {
    const input = await replicateInput(call);
    const isText = call.task === "text-generation";
    const prediction = await create(call, input, { isAwaited: !(isText && call.isStreaming) });
    const streamUrl = textAt(prediction, "urls.stream");
    if (isText && call.isStreaming && streamUrl !== undefined && !isOver(prediction)) {
      return streamed(call, prediction, streamUrl);
    }
    return resultOf(call, await finished(call, prediction));
  },
};

/** `owner/name` runs the model's newest version; `owner/name:VERSION` or a version's id that version. */
async function create(
  call: ProviderCall,
  input: unknown,
  { isAwaited }: { readonly isAwaited: boolean },
): Promise<unknown> {
  const [name = "", version] = call.model.split(":", 2);
  const [owner = "", model] = name.split("/", 2);
  const isVersion = version !== undefined || model === undefined;
  const path = isVersion
    ? "/predictions"
    : `/models/${encodeURIComponent(owner)}/${encodeURIComponent(model)}/predictions`;
  const creating = call.http.json({
    method: "POST",
    path,
    headers: isAwaited ? { prefer: `wait=${waitSeconds}` } : {},
    body: given({ version: isVersion ? (version ?? name) : undefined, input }),
    outlivesCall: true,
  });
  return (await orCancel(call, creating)).body;
}

/** Replicate goes on with a prediction whose caller has left: its id is waited for, and it is canceled. */
async function orCancel<Answer extends { readonly body: unknown }>(
  { http, signal }: ProviderCall,
  creating: Promise<Answer>,
): Promise<Answer> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => {
    aborted.reject(signal.reason);
    void creating
      .then(({ body }) => {
        const id = textAt(body, "id");
        return id === undefined || isOver(body) ? undefined : http.afterwards(cancelOf(id));
      })
      .catch(() => undefined);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([creating, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function cancelOf(id: string): ProviderRequest {
  return { method: "POST", path: `/predictions/${encodeURIComponent(id)}/cancel` };
}

function isOver(prediction: unknown): boolean {
  return !["starting", "processing", undefined].includes(textAt(prediction, "status"));
}

/** The prediction once it has ended well. */
async function finished(call: ProviderCall, prediction: unknown): Promise<unknown> {
  const id = promised(textAt(prediction, "id"), call.http, "id");
  const first = readPrediction(prediction);
  if (first.state === "done") return first.result;
  if (first.state === "failed") throw jobFailed(call.http.provider, first.why);
  const path = `/predictions/${encodeURIComponent(id)}`;
  return pollJob(call, {
    id,
    intervalMs: pollIntervalMs,
    look: async () => readPrediction((await call.http.json({ method: "GET", path })).body),
    cancel: cancelOf(id),
  });
}

function readPrediction(prediction: unknown): JobState<unknown> {
  const status = textAt(prediction, "status") ?? "unknown";
  switch (status) {
    case "succeeded":
    case "successful":
      return { state: "done", result: prediction };
    case "failed":
    case "canceled":
    case "aborted":
      return { state: "failed", why: textAt(prediction, "error") ?? `the prediction is ${status}` };
    default:
      return { state: "waiting", said: status };
  }
}

/** Pieces come by the stream; what was counted stands in the prediction afterwards. */
async function streamed(
  call: ProviderCall,
  prediction: unknown,
  streamUrl: string,
): Promise<ProviderResult> {
  const { http } = call;
  const id = promised(textAt(prediction, "id"), http, "id");
  const path = `/predictions/${encodeURIComponent(id)}`;
  const output = new ChatOutput(call);
  let isDone = false;
  call.log(`job ${id}`);
  try {
    const headers = { "cache-control": "no-store" };
    for await (const { name, data } of http.events({ method: "GET", path: streamUrl, headers })) {
      if (name === "output") output.text(data);
      else if (name === "error") throw streamFailure(call, data);
      else if (name === "done") {
        isDone = true;
        endOf(call, data);
        break;
      }
    }
    if (!isDone) throw cutStream(http.provider);
  } finally {
    if (!isDone) await http.afterwards(cancelOf(id));
  }
  const metrics = await metricsAfter(call, path);
  const { output: pieces } = output.result();
  return { output: pieces, metrics };
}

/** `{"detail": …}`, or the words themselves. */
function streamFailure({ http }: ProviderCall, data: string): GatewayError {
  let parsed: unknown = data;
  try {
    parsed = JSON.parse(data);
  } catch {
    // The words themselves.
  }
  return jobFailed(http.provider, textAt(parsed, "detail") ?? textAt(parsed, "error") ?? data);
}

/** `done` says `{}`, or why it ended without an answer. */
function endOf(call: ProviderCall, data: string): void {
  const reason = data === "" ? undefined : textAt(parseEvent(call.http.provider, data), "reason");
  if (reason !== undefined) throw jobFailed(call.http.provider, `the prediction is ${reason}`);
}

/** The answer has been given; what it cost is worth one look, and no failure. */
async function metricsAfter(
  call: ProviderCall,
  path: string,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    const { body } = await call.http.json({ method: "GET", path });
    return metricsOf(body);
  } catch (error) {
    if (error instanceof GatewayError && !call.signal.aborted) return {};
    throw error;
  }
}

function resultOf(call: ProviderCall, prediction: unknown): ProviderResult {
  const output = at(prediction, "output");
  const metrics = { ...countOf(call, output), ...metricsOf(prediction) };
  const isList = Array.isArray(output);
  if (call.task === "text-generation") {
    const chat = new ChatOutput(call);
    const pieces: readonly unknown[] = isList ? output : [output];
    for (const piece of pieces)
      chat.text(typeof piece === "string" ? piece : JSON.stringify(piece));
    return { output: chat.result().output, metrics };
  }
  // The standard shape of a task says whether its output is a list; a model may answer either way.
  const isListWanted = /-to-image$|-to-video$/.test(call.task);
  const isOneWanted = call.task === "text-to-speech" || call.task === "image-to-text";
  if (isListWanted && !isList && output !== undefined) return { output: [output], metrics };
  if (call.task === "image-to-text" && isList) return { output: output.join(""), metrics };
  if (isOneWanted && isList) return { output: output[0] as unknown, metrics };
  if (call.task === "automatic-speech-recognition")
    return { output: transcriptOf(output), metrics };
  return { output, metrics };
}

function transcriptOf(output: unknown): unknown {
  if (typeof output === "string") return { text: output };
  const text = textAt(output, "text") ?? textAt(output, "transcription") ?? "";
  return given({
    text,
    language: at(output, "language") ?? at(output, "detected_language"),
    segments: at(output, "segments"),
  });
}

/** Where the prediction does not say it: what it made. */
function countOf({ task }: ProviderCall, output: unknown): Readonly<Record<string, unknown>> {
  const made = Array.isArray(output) ? output.length : output === undefined ? 0 : 1;
  if (task.endsWith("-to-image")) return { images: made };
  return task.endsWith("-to-video") ? { videos: made } : {};
}

/** `image_count` and its like are what Replicate charges official models by. */
function metricsOf(prediction: unknown): Readonly<Record<string, unknown>> {
  const metrics = at(prediction, "metrics");
  return given({
    predict_time: numberAt(metrics, "predict_time"),
    input_tokens: numberAt(metrics, "input_token_count"),
    output_tokens: numberAt(metrics, "output_token_count"),
    images: numberAt(metrics, "image_count"),
    video_seconds: numberAt(metrics, "video_output_duration_seconds"),
    audio_seconds: numberAt(metrics, "audio_output_duration_seconds"),
    characters: numberAt(metrics, "character_input_count"),
  });
}
