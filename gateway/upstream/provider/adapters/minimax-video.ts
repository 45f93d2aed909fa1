import type { ProviderCall, ProviderHttp, ProviderResult } from "../adapter.ts";
import { numberAt, promised, textAt } from "./answer.ts";
import { given, hasImage, Inputs } from "./inputs.ts";
import { checkBaseResponse } from "./minimax-error.ts";
import { pollJob, type JobState } from "./poll-job.ts";

/** As MiniMax's guide to its video API asks for. */
const pollIntervalMs = 10_000;

/** The length that MiniMax takes when none is asked for, and the one that the second API requires. */
const durationDefaultSeconds = 6;
const durationDefaultSecondsV2 = 5;

/** A video, by the API that the model belongs to: the H3 models have the second one. */
export function minimaxVideo(call: ProviderCall): Promise<ProviderResult> {
  return /^MiniMax-H3/i.test(call.model) ? videoV2(call) : videoV1(call);
}

async function videoV1(call: ProviderCall): Promise<ProviderResult> {
  const { http } = call;
  const input = new Inputs(call);
  const isImageToVideo = hasImage(call);
  const duration = input.number("duration");
  const body = given({
    model: call.model,
    prompt: isImageToVideo ? input.text("prompt") : input.required("prompt"),
    duration,
    resolution: input.text("resolution")?.toUpperCase(),
    first_frame_image: isImageToVideo ? input.required("image") : undefined,
    last_frame_image: input.text("last_image"),
  });
  input.finish();
  const created = await http.json({ method: "POST", path: "/v1/video_generation", body });
  checkBaseResponse(http, created.body);
  const id = promised(textAt(created.body, "task_id"), http, "task_id");
  const path = `/v1/query/video_generation?task_id=${encodeURIComponent(id)}`;
  const task = await pollJob(call, {
    id,
    intervalMs: pollIntervalMs,
    look: async () => readTask(http, (await http.json({ method: "GET", path })).body),
  });
  const fileId = promised(textAt(task, "file_id"), http, "file_id");
  const filePath = `/v1/files/retrieve?file_id=${encodeURIComponent(fileId)}`;
  const file = await http.json({ method: "GET", path: filePath });
  checkBaseResponse(http, file.body);
  const url = promised(textAt(file.body, "file.download_url"), http, "download_url");
  const seconds = duration ?? durationDefaultSeconds;
  return { output: [url], metrics: { videos: 1, seconds } };
}

function readTask(http: ProviderHttp, task: unknown): JobState<unknown> {
  const status = textAt(task, "status") ?? "unknown";
  if (status === "Success") return { state: "done", result: task };
  if (status === "Fail") {
    const code = textAt(task, "base_resp.status_code") ?? "0";
    const why = textAt(task, "base_resp.status_msg") ?? "no reason given";
    return { state: "failed", why: code === "0" ? why : `${why} (${code})` };
  }
  // The look itself may have been refused, such as for its rate.
  checkBaseResponse(http, task);
  // Preparing, Queueing, Processing
  return { state: "waiting", said: status.toLowerCase() };
}

async function videoV2(call: ProviderCall): Promise<ProviderResult> {
  const { http } = call;
  const input = new Inputs(call);
  const isImageToVideo = hasImage(call);
  if (isImageToVideo) input.refuse("aspect_ratio", "the image sets it");
  const body = given({
    model: call.model,
    content: content(input, isImageToVideo),
    resolution: input.text("resolution")?.toUpperCase() ?? "768P",
    duration: input.number("duration") ?? durationDefaultSecondsV2,
    // Required for a text alone; an image brings its own.
    ratio: isImageToVideo ? undefined : (input.text("aspect_ratio") ?? "16:9"),
  });
  input.finish();
  const created = await http.json({ method: "POST", path: "/v2/video_generation", body });
  checkBaseResponse(http, created.body);
  const id = promised(textAt(created.body, "task_id"), http, "task_id");
  const path = `/v2/query/video_generation/${encodeURIComponent(id)}`;
  const task = await pollJob(call, {
    id,
    intervalMs: pollIntervalMs,
    look: async () => readTaskV2((await http.json({ method: "GET", path })).body),
    // Only while it waits in the queue; a running one is refused, and goes on.
    cancel: { method: "DELETE", path: `/v2/video_generation/${encodeURIComponent(id)}` },
  });
  const url = promised(textAt(task, "content.url"), http, "url of the video");
  const seconds = numberAt(task, "usage.output_seconds") ?? numberAt(body, "duration");
  return {
    output: [url],
    metrics: given({
      videos: 1,
      seconds,
      input_tokens: numberAt(task, "usage.prompt_tokens"),
      output_tokens: numberAt(task, "usage.completion_tokens"),
    }),
  };
}

function content(input: Inputs, isImageToVideo: boolean): readonly unknown[] {
  const text = { type: "text", text: input.required("prompt") };
  if (!isImageToVideo) return [text];
  const frame = (role: string, url: string): unknown => ({
    type: "image_url",
    image_url: { url },
    role,
  });
  const first = frame("first_frame", input.required("image"));
  const last = input.text("last_image");
  return last === undefined ? [text, first] : [text, first, frame("last_frame", last)];
}

function readTaskV2(body: unknown): JobState<unknown> {
  const { task } = body as { readonly task?: unknown };
  const status = textAt(task, "status") ?? "unknown";
  if (status === "succeeded") return { state: "done", result: task };
  if (status === "failed") {
    const code = textAt(task, "error.code");
    const why = textAt(task, "error.message") ?? "no reason given";
    return { state: "failed", why: code === undefined ? why : `${why} (${code})` };
  }
  if (status === "cancelled") return { state: "failed", why: "it was canceled at MiniMax" };
  // queued, running
  return { state: "waiting", said: status };
}
