import type { ProviderAdapter, ProviderCall, ProviderResult } from "../adapter.ts";
import { listAt, numberAt, promised, promisedSome, textAt } from "./answer.ts";
import { given, hasImage, Inputs, noSuchTask } from "./inputs.ts";
import { runOpenAiTask } from "./openai-compatible.ts";
import { pollJob, type JobState } from "./poll-job.ts";

/** As ModelArk's own examples wait. */
const pollIntervalMs = 10_000;

/** Seedream makes one image a request; more are that many requests at once. As many as most other providers make. */
const imagesMax = 10;

/** ByteDance's ModelArk: chat, Seedream's images, and Seedance's videos as tasks that are polled. */
export const bytedance: ProviderAdapter = {
  id: "bytedance",
  title: "ByteDance",
  baseUrl: "https://ark.ap-southeast.bytepluses.com/api/v3",
  source: {
    document:
      "docs.byteplus.com/en/docs/ModelArk: 1541523 (images), 1520757 (create), 1521309 (retrieve), 1521720 (cancel); @ai-sdk/bytedance 1.0.29",
    date: "2026-08-13",
  },
  authorize: (key) => ({ authorization: `Bearer ${key}` }),
  wirePaths: { "chat-completions": "/chat/completions", embeddings: "/embeddings" },
  run(call) {
    switch (call.task) {
      case "text-generation":
      case "image-to-text":
      case "text-embeddings":
        return runOpenAiTask(call, { tokenLimitName: "max_tokens", takesMore: true });
      case "text-to-image":
      case "image-to-image":
        return images(call);
      case "text-to-video":
      case "image-to-video":
        return video(call);
      default:
        return Promise.reject(noSuchTask(call));
    }
  },
};

async function images(call: ProviderCall): Promise<ProviderResult> {
  const { model } = call;
  const input = new Inputs(call);
  const references = input.texts("image");
  const size = input.size();
  const count = input.number("n") ?? 1;
  if (count > imagesMax) throw input.wrong("n", `must be at most ${imagesMax}`);
  input.refuse("aspect_ratio", "give a size in pixels instead");
  // The fourth generation always answers JPEG.
  if (!/seedream-5/.test(model)) input.refuse("output_format");
  if (!/seedream-5-0-pro/.test(model)) input.refuse("background");
  const body = given({
    model,
    prompt: input.required("prompt"),
    image: references.length > 1 ? references : references[0],
    size: size === undefined ? undefined : `${size.width}x${size.height}`,
    output_format: input.text("output_format"),
    background: input.text("background"),
    response_format: "url",
    watermark: false,
  });
  input.finish();
  const answers = await Promise.all(Array.from({ length: count }, () => oneImage(call, body)));
  const tokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
  const output = answers.flatMap(({ urls }) => urls);
  return {
    output,
    metrics: { images: output.length, ...(tokens === 0 ? {} : { image_tokens: tokens }) },
  };
}

async function oneImage(
  { http }: ProviderCall,
  body: Readonly<Record<string, unknown>>,
): Promise<{ readonly urls: readonly string[]; readonly tokens: number }> {
  const answer = await http.json({ method: "POST", path: "/images/generations", body });
  const found = listAt(answer.body, "data");
  const urls = found.flatMap((item) => textAt(item, "url") ?? []);
  // An image that was refused stands in the list as its error.
  const why = found.flatMap((item) => textAt(item, "error.message") ?? [])[0];
  if (urls.length === 0 && why !== undefined) throw http.failure(422, { message: why });
  return {
    urls: promisedSome(urls, http, "images"),
    tokens: numberAt(answer.body, "usage.output_tokens") ?? 0,
  };
}

async function video(call: ProviderCall): Promise<ProviderResult> {
  const { http, model } = call;
  const input = new Inputs(call);
  const isImageToVideo = hasImage(call);
  const duration = input.number("duration");
  if (/seedance-2/.test(model)) input.refuse("seed", "only Seedance 1 has it");
  if (/seedance-1-0/.test(model)) input.refuse("audio", "Seedance 1.0 is silent");
  input.refuse("size", "give resolution and aspect_ratio instead");
  const body = given({
    model,
    content: content(input, isImageToVideo),
    resolution: input.text("resolution")?.toLowerCase(),
    ratio: input.text("aspect_ratio"),
    duration,
    seed: input.number("seed"),
    generate_audio: input.flag("audio"),
    watermark: false,
  });
  input.finish();
  const tasks = "/contents/generations/tasks";
  const created = await http.json({ method: "POST", path: tasks, body });
  const id = promised(textAt(created.body, "id"), http, "task id");
  const path = `${tasks}/${encodeURIComponent(id)}`;
  const task = await pollJob(call, {
    id,
    intervalMs: pollIntervalMs,
    look: async () => readTask((await http.json({ method: "GET", path })).body),
    // Cancels a task in the queue; a running one is refused, and goes on.
    cancel: { method: "DELETE", path },
  });
  const url = promised(textAt(task, "content.video_url"), http, "video_url");
  const outputTokens = numberAt(task, "usage.completion_tokens");
  const seconds = numberAt(task, "duration") ?? duration;
  return {
    output: [url],
    metrics: given({
      videos: 1,
      seconds,
      ...(outputTokens === undefined ? {} : { input_tokens: 0, output_tokens: outputTokens }),
    }),
  };
}

function content(input: Inputs, isImageToVideo: boolean): readonly unknown[] {
  const prompt = isImageToVideo ? input.text("prompt") : input.required("prompt");
  const texts = prompt === undefined ? [] : [{ type: "text", text: prompt }];
  if (!isImageToVideo) return texts;
  const frame = (role: string, url: string): unknown => ({
    type: "image_url",
    image_url: { url },
    role,
  });
  const first = frame("first_frame", input.required("image"));
  const last = input.text("last_image");
  return [...texts, first, ...(last === undefined ? [] : [frame("last_frame", last)])];
}

function readTask(task: unknown): JobState<unknown> {
  const status = textAt(task, "status") ?? "unknown";
  if (status === "succeeded") return { state: "done", result: task };
  if (status === "failed") {
    const code = textAt(task, "error.code");
    const why = textAt(task, "error.message") ?? "no reason given";
    return { state: "failed", why: code === undefined ? why : `${why} (${code})` };
  }
  if (status === "cancelled") return { state: "failed", why: "it was canceled at ByteDance" };
  if (status === "expired") return { state: "failed", why: "it waited too long and expired" };
  // queued, running
  return { state: "waiting", said: status };
}
