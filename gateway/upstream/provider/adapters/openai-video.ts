import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { fileName, toDataUri } from "../data-uri.ts";
import { FormBody, type FormPart } from "../form.ts";
import { numberAt, promised, textAt } from "./answer.ts";
import { given, Inputs } from "./inputs.ts";
import { pollJob, type JobState } from "./poll-job.ts";

/** A clip takes minutes. */
const pollIntervalMs = 5_000;

/** `POST /videos`, looked at until it is done, then its content: the files are not public. */
export async function runOpenAiVideo(call: ProviderCall): Promise<ProviderResult> {
  const { http, model } = call;
  const input = new Inputs(call);
  const image = input.text("image");
  const size = input.size();
  const seconds = input.number("duration");
  const fields = given({
    model,
    prompt: input.required("prompt"),
    seconds: seconds === undefined ? undefined : String(seconds),
    size: size === undefined ? undefined : `${size.width}x${size.height}`,
  });
  input.finish();
  const parts: FormPart[] = Object.entries(fields).map(([name, value]) => ({
    name,
    value: String(value),
  }));
  if (image !== undefined) {
    const { contentType, bytes } = await http.file(image);
    const name = "input_reference";
    parts.push({ name, fileName: fileName("image", contentType), contentType, bytes });
  }
  const created = await http.json({ method: "POST", path: "/videos", body: new FormBody(parts) });
  const id = promised(textAt(created.body, "id"), http, "id");
  const path = `/videos/${encodeURIComponent(id)}`;
  const video = await pollJob(call, {
    id,
    intervalMs: pollIntervalMs,
    look: async () => readVideo((await http.json({ method: "GET", path })).body),
    cancel: { method: "DELETE", path },
  });
  const content = await http.bytes({ method: "GET", path: `${path}/content`, isDownload: true });
  const contentType = String(content.headers["content-type"] ?? "video/mp4");
  return {
    output: [toDataUri({ contentType, bytes: content.body })],
    metrics: given({ videos: 1, seconds: numberAt(video, "seconds") }),
  };
}

function readVideo(video: unknown): JobState<unknown> {
  const status = textAt(video, "status") ?? "unknown";
  if (status === "completed") return { state: "done", result: video };
  if (status === "failed") {
    return { state: "failed", why: textAt(video, "error.message") ?? "no reason given" };
  }
  // queued, in_progress
  return { state: "waiting", said: status };
}
