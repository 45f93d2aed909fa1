import type { ProviderAdapter, ProviderCall, ProviderResult } from "../adapter.ts";
import { parseDataUri } from "../data-uri.ts";
import { listAt, numberAt, promised, textAt } from "./answer.ts";
import { given, Inputs, noSuchTask } from "./inputs.ts";
import { pollJob, type JobState } from "./poll-job.ts";

/** As the SDK's `pollingInterval`. */
const pollIntervalMs = 3_000;

/** The models that are named one at a time; the newer ones are a list in order of preference. */
const legacyModels: ReadonlySet<string> = new Set(["best", "nano", "slam-1", "universal"]);

/** AssemblyAI: transcripts of recordings, as jobs that are polled. It publishes no way to cancel one. */
export const assemblyai: ProviderAdapter = {
  id: "assemblyai",
  title: "AssemblyAI",
  baseUrl: "https://api.assemblyai.com/v2",
  source: {
    document:
      "assemblyai 4.41.5 (services/transcripts, services/files, types/openapi.generated.ts)",
    date: "2026-11-23",
  },
  authorize: (key) => ({ authorization: key }),
  async run(call) {
    if (call.task === "automatic-speech-recognition") return transcribe(call);
    throw noSuchTask(call);
  },
};

async function transcribe(call: ProviderCall): Promise<ProviderResult> {
  const { http, model } = call;
  const input = new Inputs(call);
  const audio = input.required("audio");
  const language = input.text("language");
  const timestamps = input.text("timestamps") ?? "none";
  if (!["none", "segment", "word"].includes(timestamps)) {
    throw input.wrong("timestamps", "must be none, segment or word");
  }
  const parameters = given({
    ...(legacyModels.has(model) ? { speech_model: model } : { speech_models: [model] }),
    ...(language === undefined ? { language_detection: true } : { language_code: language }),
    prompt: input.text("prompt"),
    temperature: input.number("temperature"),
  });
  input.finish();
  const body = { audio_url: await audioUrl(call, audio), ...parameters };
  const created = await http.json({ method: "POST", path: "/transcript", body });
  const id = promised(textAt(created.body, "id"), http, "transcript id");
  const path = `/transcript/${encodeURIComponent(id)}`;
  const transcript = await pollJob(call, {
    id,
    intervalMs: pollIntervalMs,
    look: async () => readTranscript((await http.json({ method: "GET", path })).body),
  });
  const seconds = numberAt(transcript, "audio_duration");
  const output = given({
    text: textAt(transcript, "text") ?? "",
    language: textAt(transcript, "language_code") ?? language,
    duration: seconds,
    segments: timestamps === "segment" ? await segments(call, path) : undefined,
    words: timestamps === "word" ? words(transcript) : undefined,
  });
  return { output, metrics: given({ seconds }) };
}

/** AssemblyAI reads public URLs itself; what comes inline is uploaded first. */
async function audioUrl({ http }: ProviderCall, audio: string): Promise<string> {
  const file = parseDataUri(audio);
  if (file === undefined) return audio;
  const uploaded = await http.json({ method: "POST", path: "/upload", body: file.bytes });
  return promised(textAt(uploaded.body, "upload_url"), http, "upload_url");
}

/** Sentences are a look of their own at a finished transcript. */
async function segments({ http }: ProviderCall, path: string): Promise<readonly unknown[]> {
  const { body } = await http.json({ method: "GET", path: `${path}/sentences` });
  return listAt(body, "sentences").map((sentence, id) => ({
    id,
    start: secondsAt(sentence, "start"),
    end: secondsAt(sentence, "end"),
    text: textAt(sentence, "text") ?? "",
  }));
}

function words(transcript: unknown): readonly unknown[] {
  return listAt(transcript, "words").map((word) => ({
    word: textAt(word, "text") ?? "",
    start: secondsAt(word, "start"),
    end: secondsAt(word, "end"),
  }));
}

/** AssemblyAI counts milliseconds. */
function secondsAt(value: unknown, path: string): number {
  return (numberAt(value, path) ?? 0) / 1000;
}

function readTranscript(transcript: unknown): JobState<unknown> {
  const status = textAt(transcript, "status") ?? "unknown";
  if (status === "completed") return { state: "done", result: transcript };
  if (status === "error") {
    return { state: "failed", why: textAt(transcript, "error") ?? "no reason given" };
  }
  // queued, processing
  return { state: "waiting", said: status };
}
