import { CommandError } from "../errors.ts";
import { formatBytes, formatDuration, type Output } from "../output.ts";
import { renderPhases, type Start } from "./start.ts";

interface WorkLine {
  readonly type?: string;
  readonly [key: string]: unknown;
}

/** Work of the platform on a snapshot: its events as lines on stderr, and the result that the last one carries. */
export function createSnapshotReporter<Result>(output: Output): {
  onEvent: (event: unknown) => void;
  result: () => Result;
} {
  let result: { readonly value: Result } | undefined;
  return {
    onEvent: (event) => {
      const line = event as WorkLine;
      if (line["error"] !== undefined) throw failureOf(line["error"]);
      if (line.type === "result") result = { value: line["result"] as Result };
      const text = renderEvent(line);
      if (text !== undefined) output.note(text);
    },
    result: () => {
      if (result !== undefined) return result.value;
      throw new CommandError({
        code: "platform_unreachable",
        message: "the platform stopped answering before it was done",
        hint: "`byom snapshot list` shows what there is; run the command again",
      });
    },
  };
}

function renderEvent(line: WorkLine): string | undefined {
  const bytes = (name: string): string => formatBytes(Number(line[name] ?? 0));
  switch (line.type) {
    case "snapshot-wait":
      return "snapshot: another one of this model is being taken, waiting";
    case "measure-start":
      return `snapshot: starting ${String(line["mode"])}, round ${String(line["round"])}`;
    case "measure-end":
      return `snapshot: ${renderPhases(line["start"] as Start)}`;
    case "snapshot-start":
      return "snapshot: capturing";
    case "snapshot-end":
      return `snapshot: ${bytes("sizeBytes")} captured in ${formatDuration(Number(line["ms"]))}`;
    case "snapshot-push-start":
      return `push: ${bytes("sizeBytes")} in ${String(line["chunks"])} chunks`;
    case "snapshot-push-progress":
      return `push: ${String(line["chunksDone"])} of ${String(line["chunks"])} chunks, ${bytes("uploadedBytes")} sent`;
    case "snapshot-pass-over":
      return `pull: passed over ${String(line["digest"]).slice(0, 19)}: ${String(line["reason"])}`;
    case "snapshot-pull-start":
      return `pull: ${bytes("totalBytes")} of ${String(line["digest"]).slice(0, 19)}`;
    case "snapshot-pull-progress":
      return `pull: ${bytes("downloadedBytes")} of ${bytes("totalBytes")}`;
    default:
      return undefined;
  }
}

function failureOf(value: unknown): CommandError {
  const error = value as {
    code?: string;
    message?: string;
    hint?: string;
    details?: unknown;
    logLines?: unknown;
  };
  return new CommandError({
    code: error.code ?? "snapshot_failed",
    message: error.message ?? "it failed",
    ...(error.hint !== undefined && { hint: error.hint }),
    details: error.details ?? error,
  });
}
