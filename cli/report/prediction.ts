import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
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

/**
 * A prediction's output as cog prints it: text as it is, other values as JSON, files written beside with their name on
 * stderr (`output.png`, `output.0.png`).
 */
export async function renderOutput(options: {
  readonly value: unknown;
  /** Where files are written. */
  readonly directory: string;
  /** `-o FILE`. */
  readonly file: string | undefined;
  readonly output: Output;
  readonly signal: AbortSignal;
}): Promise<string> {
  const { value, output } = options;
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
  options: { directory: string; file: string | undefined; output: Output; signal: AbortSignal },
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
  return typeof value === "string" && value.startsWith("data:") && value.slice(0, 200).includes(",");
}
