import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { base64DataUri, toDataUri } from "../data-uri.ts";
import { brokenAnswer, jobFailed } from "../failure.ts";
import { at, listAt, numberAt, promised, textAt } from "./answer.ts";
import { given, Inputs } from "./inputs.ts";
import { pollJob, type JobState } from "./poll-job.ts";

/** Google's own examples look every ten seconds; clips take from half a minute to some minutes. */
const pollIntervalMs = 10_000;

/** What Veo makes when nothing is said (https://ai.google.dev/gemini-api/docs/video, `durationSeconds`). */
const durationDefaultSeconds = 8;

/** Veo: a long-running operation that is looked at until it is done; the file is fetched with the key. */
export async function runVeo(call: ProviderCall): Promise<ProviderResult> {
  const { http, model } = call;
  const { seconds, body } = await veoRequest(call);
  const created = await http.json({
    method: "POST",
    path: `/models/${encodeURIComponent(model)}:predictLongRunning`,
    body,
  });
  const name = promised(textAt(created.body, "name"), http, "name");
  const answer = await pollJob(call, {
    id: name.split("/").at(-1) ?? name,
    intervalMs: pollIntervalMs,
    look: async () => readOperation((await http.json({ method: "GET", path: `/${name}` })).body),
  });
  const samples = listAt(answer, "generateVideoResponse.generatedSamples");
  if (samples.length === 0) {
    const why = listAt(answer, "generateVideoResponse.raiMediaFilteredReasons").join(" ");
    throw jobFailed(http.provider, why === "" ? "no video was made" : why);
  }
  const output = await Promise.all(samples.map((sample) => fetchVideo(call, at(sample, "video"))));
  return {
    output,
    metrics: given({
      videos: output.length,
      seconds: (seconds ?? durationDefaultSeconds) * output.length,
    }),
  };
}

async function veoRequest(
  call: ProviderCall,
): Promise<{ readonly seconds: number | undefined; readonly body: unknown }> {
  const input = new Inputs(call);
  const seconds = input.number("duration");
  // Every Veo of this API makes sound, and has no switch for it.
  if (input.flag("audio") === false) throw input.unsupported("audio", "it always makes sound");
  const instance = given({
    prompt: input.text("prompt"),
    image: await imageOf(call, input.text("image")),
    lastFrame: await imageOf(call, input.text("last_image")),
  });
  const parameters = given({
    aspectRatio: input.text("aspect_ratio"),
    durationSeconds: seconds,
    resolution: input.text("resolution"),
    negativePrompt: input.text("negative_prompt"),
  });
  input.finish();
  return { seconds, body: { instances: [instance], parameters } };
}

async function imageOf(call: ProviderCall, uri: string | undefined): Promise<unknown> {
  if (uri === undefined) return undefined;
  const { contentType, bytes } = await call.http.file(uri);
  return { bytesBase64Encoded: bytes.toString("base64"), mimeType: contentType };
}

function readOperation(operation: unknown): JobState<unknown> {
  if (at(operation, "done") !== true) return { state: "waiting", said: "running" };
  const error = at(operation, "error");
  if (error !== undefined) {
    const code = numberAt(error, "code");
    return { state: "failed", why: textAt(error, "message") ?? `code ${code ?? "unknown"}` };
  }
  return { state: "done", result: at(operation, "response") ?? {} };
}

async function fetchVideo(call: ProviderCall, video: unknown): Promise<string> {
  const inline = textAt(video, "encodedVideo");
  if (inline !== undefined) return base64DataUri(textAt(video, "encoding") ?? "video/mp4", inline);
  const uri = textAt(video, "uri");
  if (uri === undefined) throw brokenAnswer(call.http.provider, "a video without a URI");
  const { headers, body } = await call.http.bytes({ method: "GET", path: uri, isDownload: true });
  return toDataUri({ contentType: String(headers["content-type"] ?? "video/mp4"), bytes: body });
}
