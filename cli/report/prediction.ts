import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { LocalPrediction, PredictionEvent } from "../../builder/index.ts";
import { CommandError } from "../errors.ts";
import type { Output } from "../output.ts";

const extensions: Readonly<Record<string, string>> = {
  "application/json": "json",
  "application/pdf": "pdf",
  "application/zip": "zip",
  "audio/mpeg": "mp3",
  "audio/wav": "wav",
  "audio/x-wav": "wav",
  "image/gif": "gif",
  "image/jpeg": "jpg",
  "image/png": "png",
  "image/webp": "webp",
  "text/plain": "txt",
  "video/mp4": "mp4",
};

interface PredictionReporter {
  /** Text goes to stdout as it comes, the model's own prints to stderr. */
  readonly onEvent: (event: PredictionEvent) => void;
  /** Prints what was not printed yet; rejects when the prediction failed. `facts` stand beside it in `--json`. */
  finish(prediction: LocalPrediction, facts?: Readonly<Record<string, unknown>>): Promise<void>;
}

interface ReporterOptions {
  readonly output: Output;
  /** Where files are written. */
  readonly directory: string;
  /** `-o FILE`. */
  readonly file: string | undefined;
  readonly signal: AbortSignal;
}

/** How `run` and `call` show one prediction. */
export function createPredictionReporter(options: ReporterOptions): PredictionReporter {
  const { output, file } = options;
  let isPrinted = false;
  return {
    onEvent: (event) => {
      if (event.type === "log") output.note(event.text.trimEnd());
      else if (typeof event.chunk === "string" && !isDataUri(event.chunk) && file === undefined) {
        output.write(event.chunk);
        isPrinted = !output.isJson;
      }
    },
    finish: async (prediction, facts = {}) => {
      if (isPrinted) output.write("\n");
      if (prediction.status !== "succeeded") throw predictionFailure(prediction);
      const { status, metrics } = prediction;
      const text = isPrinted || output.isJson ? "" : await renderOutput(prediction.output, options);
      output.answer(text, { status, output: prediction.output, metrics, ...facts });
    },
  };
}

function predictionFailure({ status, error, logs }: LocalPrediction): CommandError {
  return new CommandError({
    code: status === "canceled" ? "prediction_canceled" : "prediction_failed",
    message: `the prediction ${status}: ${error ?? "the model gave no reason"}`,
    details: { logs },
  });
}

/**
 * A prediction's output as cog prints it: text as it is, other values as JSON, files written beside with their name on
 * stderr (`output.png`, `output.0.png`).
 */
async function renderOutput(value: unknown, options: ReporterOptions): Promise<string> {
  const { output } = options;
  if (value === null || value === undefined) {
    output.note("No output generated");
    return "";
  }
  const values = Array.isArray(value) ? value : [value];
  if (values.length > 0 && values.every(isDataUri)) {
    for (const [index, uri] of values.entries()) {
      await writeOutputFile(uri, Array.isArray(value) ? index : undefined, options);
    }
    return "";
  }
  const text = typeof value === "string" ? value : JSON.stringify(value, undefined, 2);
  if (options.file === undefined) return text;
  const path = resolve(options.directory, options.file);
  await writeFile(path, text, { signal: options.signal });
  output.note(`Written output to: ${path}`);
  return "";
}

async function writeOutputFile(
  uri: string,
  index: number | undefined,
  options: ReporterOptions,
): Promise<void> {
  const comma = uri.indexOf(",");
  const mediaType = /^data:([^;,]*)/.exec(uri)?.[1] ?? "";
  const extension = extensions[mediaType] ?? "bin";
  const name = index === undefined ? `output.${extension}` : `output.${index}.${extension}`;
  const path = resolve(options.directory, index === undefined ? (options.file ?? name) : name);
  const isBase64 = uri.slice(0, comma).endsWith(";base64");
  const bytes = isBase64
    ? Buffer.from(uri.slice(comma + 1), "base64")
    : Buffer.from(decodeURIComponent(uri.slice(comma + 1)));
  await writeFile(path, bytes, { signal: options.signal });
  options.output.note(`Written output to: ${path}`);
}

function isDataUri(value: unknown): value is string {
  return (
    typeof value === "string" && value.startsWith("data:") && value.slice(0, 200).includes(",")
  );
}
