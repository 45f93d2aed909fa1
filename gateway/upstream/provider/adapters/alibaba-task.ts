import type { ProviderCall } from "../adapter.ts";
import { promised, textAt } from "./answer.ts";
import { pollJob, type JobState } from "./poll-job.ts";

/** As the vendor's own SDKs wait; the limit is 20 looks a second over a whole account. */
const pollIntervalMs = 5_000;

/** Runs a DashScope task to its end: the answer to the last look, with its `output` and `usage`. */
export async function runAlibabaTask(
  call: ProviderCall,
  path: string,
  body: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const { http } = call;
  const created = await http.json({
    method: "POST",
    path,
    body,
    // Without it: "current user api does not support synchronous calls".
    headers: { "x-dashscope-async": "enable" },
  });
  const id = promised(textAt(created.body, "output.task_id"), http, "task_id");
  const taskPath = `/api/v1/tasks/${encodeURIComponent(id)}`;
  return pollJob(call, {
    id,
    intervalMs: pollIntervalMs,
    look: async () => readTask((await http.json({ method: "GET", path: taskPath })).body),
    // Only while it is pending; a running one is refused, and goes on.
    cancel: { method: "POST", path: `${taskPath}/cancel` },
  });
}

function readTask(body: unknown): JobState<unknown> {
  const status = textAt(body, "output.task_status") ?? "unknown";
  if (status === "SUCCEEDED") return { state: "done", result: body };
  if (status === "FAILED") {
    const code = textAt(body, "output.code");
    const why = textAt(body, "output.message") ?? "no reason given";
    return { state: "failed", why: code === undefined ? why : `${why} (${code})` };
  }
  if (status === "CANCELED") return { state: "failed", why: "it was canceled at Alibaba Cloud" };
  if (status === "UNKNOWN") return { state: "failed", why: "the task is not known any more" };
  // PENDING, RUNNING
  return { state: "waiting", said: status.toLowerCase() };
}
