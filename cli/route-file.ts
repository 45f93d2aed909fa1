import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { parse, YAMLParseError } from "yaml";

import type { Context } from "./context.ts";
import { CommandError } from "./errors.ts";

/**
 * A YAML or JSON file with one object in it.
 * @throws CommandError that names the file, and the line where it cannot be read
 */
export async function readDocumentFile(
  file: string,
  { directory, signal }: Pick<Context, "directory" | "signal">,
): Promise<Readonly<Record<string, unknown>>> {
  let text: string;
  try {
    text = await readFile(resolve(directory, file), { encoding: "utf8", signal });
  } catch (cause) {
    signal.throwIfAborted();
    const message = `${file} cannot be read: ${(cause as Error).message}`;
    throw new CommandError({ code: "file_missing", message, cause });
  }
  return asObject(file, parsed(file, text));
}

function parsed(file: string, text: string): unknown {
  try {
    // JSON is YAML.
    return parse(text);
  } catch (cause) {
    const line = cause instanceof YAMLParseError ? `:${cause.linePos?.[0].line ?? 1}` : "";
    throw new CommandError({
      code: "file_invalid",
      message: `${file}${line}: ${(cause as Error).message}`,
      hint: "YAML or JSON, such as:\nmodels:\n  - model: openai/gpt-5.1\n    timeoutMs: 20000\n  - acme/chat",
      cause,
    });
  }
}

function asObject(file: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new CommandError({
    code: "file_invalid",
    message: `${file} holds no object`,
    hint: "a route has `models:` (or Cloudflare's `elements:`) at its top",
  });
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The name of a route that is written in a file: what it says itself, else the file's. */
export function routeNameOf(file: string, { name }: { readonly name?: unknown }): string {
  if (typeof name === "string" && namePattern.test(name)) return name;
  return basename(file).replace(/\.(?:ya?ml|json)$/i, "");
}
