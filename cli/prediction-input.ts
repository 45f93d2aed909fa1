import { readFile, stat } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { coerceInput, validateInput, type OpenApiDocument } from "../builder/index.ts";
import { CommandError, UsageError } from "./errors.ts";
import { formatBytes } from "./output.ts";
import { parseInputs } from "./parse.ts";

/** A file input travels inside the request as a data URI; coglet takes bodies of up to 100 MiB. */
const fileBytesMax = 64 * 1024 * 1024;

const mediaTypesByExtension: Readonly<Record<string, string>> = {
  ".bmp": "image/bmp",
  ".gif": "image/gif",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".json": "application/json",
  ".mp3": "audio/mpeg",
  ".mp4": "video/mp4",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".txt": "text/plain",
  ".wav": "audio/wav",
  ".webp": "image/webp",
  ".zip": "application/zip",
};

/**
 * The input of a prediction from `-i name=value` flags: typed by the model's schema, `@file` read into a data URI.
 * @throws CommandError `input_invalid` with every problem, before anything is built or started.
 */
export async function readInputFlags(options: {
  readonly pairs: readonly string[];
  /** Paths after `@` are relative to it. */
  readonly directory: string;
  readonly document: OpenApiDocument | undefined;
  readonly signal: AbortSignal;
}): Promise<Record<string, unknown>> {
  const { directory, document, signal } = options;
  const given = new Map<string, readonly string[]>();
  for (const [name, texts] of parseInputs(options.pairs)) {
    const resolved: string[] = [];
    for (const text of texts) resolved.push(await resolveFile(text, directory, signal));
    given.set(name, resolved);
  }
  if (document === undefined) {
    return Object.fromEntries(
      [...given].map(([name, texts]) => [name, texts.length === 1 ? texts[0] : texts]),
    );
  }
  const values = [...given].flatMap(([name, texts]) => texts.map((value) => ({ name, value })));
  const input = coerceInput({ document, values });
  const problems = validateInput({ document, input });
  if (problems.length > 0) {
    throw new CommandError({
      code: "input_invalid",
      message: problems.map((problem) => problem.message).join("; "),
      hint: "`byom schema` prints the inputs, or read them at /openapi.json of the model",
      details: { problems },
    });
  }
  return input;
}

/** An example of byom.yaml, with its `@file` values read. */
export async function readExampleInput(options: {
  readonly input: Readonly<Record<string, unknown>>;
  readonly directory: string;
  readonly signal: AbortSignal;
}): Promise<Record<string, unknown>> {
  const entries = Object.entries(options.input).map(async ([name, value]) => [
    name,
    typeof value === "string" ? await resolveFile(value, options.directory, options.signal) : value,
  ]);
  return Object.fromEntries(await Promise.all(entries)) as Record<string, unknown>;
}

async function resolveFile(value: string, directory: string, signal: AbortSignal): Promise<string> {
  if (!value.startsWith("@")) return value;
  const path = resolve(directory, value.slice(1));
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) {
    throw new UsageError(
      `there is no file ${path}`,
      "a value that starts with @ names a file to send",
    );
  }
  if (found.size > fileBytesMax) {
    throw new UsageError(
      `${path} has ${formatBytes(found.size)}, more than the ${formatBytes(fileBytesMax)} of a request`,
      "put the file where the model can fetch it and give its http(s) URL as the value",
    );
  }
  const bytes = await readFile(path, { signal });
  const mediaType =
    mediaTypesByExtension[extname(path).toLowerCase()] ?? "application/octet-stream";
  return `data:${mediaType};base64,${bytes.toString("base64")}`;
}
