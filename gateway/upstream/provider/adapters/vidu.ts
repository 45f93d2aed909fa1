import type { ProviderAdapter, ProviderCall, ProviderResult } from "../adapter.ts";
import { numberAt, promised, promisedSome, textAt, textsAt } from "./answer.ts";
import { given, hasImage, Inputs, noSuchTask } from "./inputs.ts";
import { pollJob, type JobState } from "./poll-job.ts";

/** Vidu names none; its clips take one to several minutes. */
const pollIntervalMs = 5_000;

/** Vidu: videos from a text, a first image, or a first and a last one, as tasks that are polled. */
export const vidu: ProviderAdapter = {
  id: "vidu",
  title: "Vidu",
  baseUrl: "https://api.vidu.com/ent/v2",
  source: {
    document:
      "platform.vidu.com/docs: text-to-video, image-to-video, start-end-to-video, get-generation, cancel-generation",
    date: "2026-09-06",
  },
  authorize: (key) => ({ authorization: `Token ${key}` }),
  async run(call) {
    if (call.task !== "text-to-video" && call.task !== "image-to-video") throw noSuchTask(call);
    return hasImage(call) ? imageToVideo(call) : textToVideo(call);
  },
};

function textToVideo(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  // The other models take the input and make a silent video all the same.
  if (!call.model.startsWith("viduq3")) input.refuse("audio", "only the q3 models make sound");
  const body = given({
    model: call.model,
    prompt: input.required("prompt"),
    duration: input.number("duration"),
    seed: input.number("seed"),
    aspect_ratio: input.text("aspect_ratio"),
    resolution: input.text("resolution"),
    audio: input.flag("audio"),
  });
  input.finish();
  return runTask(call, "/text2video", body);
}

function imageToVideo(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const first = input.required("image");
  const last = input.text("last_image");
  input.refuse("aspect_ratio", "the image sets it");
  const body = given({
    model: call.model,
    images: last === undefined ? [first] : [first, last],
    prompt: input.text("prompt"),
    duration: input.number("duration"),
    seed: input.number("seed"),
    resolution: input.text("resolution"),
    audio: input.flag("audio"),
  });
  input.finish();
  return runTask(call, last === undefined ? "/img2video" : "/start-end2video", body);
}

async function runTask(
  call: ProviderCall,
  path: string,
  body: Readonly<Record<string, unknown>>,
): Promise<ProviderResult> {
  const { http } = call;
  const created = await http.json({ method: "POST", path, body });
  const id = promised(textAt(created.body, "task_id"), http, "task_id");
  const taskPath = `/tasks/${encodeURIComponent(id)}`;
  const task = await pollJob(call, {
    id,
    intervalMs: pollIntervalMs,
    look: async () =>
      readTask((await http.json({ method: "GET", path: `${taskPath}/creations` })).body),
    cancel: { method: "POST", path: `${taskPath}/cancel`, body: { id } },
  });
  const output = promisedSome(textsAt(task, "creations", "url"), http, "creations");
  // The answer to the creation says the length that was taken when none was asked for.
  const seconds = numberAt(created.body, "duration") ?? numberAt(body, "duration");
  const credits = numberAt(task, "credits");
  return { output, metrics: given({ videos: output.length, seconds, credits }) };
}

function readTask(task: unknown): JobState<unknown> {
  const state = textAt(task, "state") ?? "unknown";
  if (state === "success") return { state: "done", result: task };
  if (state === "failed") {
    return { state: "failed", why: textAt(task, "err_code") ?? "no reason given" };
  }
  // created, queueing, processing
  return { state: "waiting", said: state };
}
