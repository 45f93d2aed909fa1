import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parse, YAMLParseError } from "yaml";
import { readProviderFile, type ProviderFile } from "../gateway/index.ts";
import { CommandError } from "./errors.ts";

/** Looked for in the platform's data directory when no file is named. */
const namesByDefault = ["providers.yaml", "providers.json"];

/**
 * The operator's configuration of third-party providers: the file that was named, or `providers.yaml` in the data
 * directory when there is one.
 * @throws CommandError when a named file is missing, or a file says what cannot be meant
 */
export async function loadProvidersFile(options: {
  readonly file?: string;
  readonly dataDirectory: string;
  readonly signal: AbortSignal;
}): Promise<ProviderFile | undefined> {
  const { file, dataDirectory, signal } = options;
  if (file !== undefined)
    return readFrom(
      resolve(file),
      await readFile(file, { encoding: "utf8", signal }).catch(missing(file)),
    );
  for (const name of namesByDefault) {
    const path = join(dataDirectory, name);
    const text = await readFile(path, { encoding: "utf8", signal }).catch(absent);
    if (text !== undefined) return readFrom(path, text);
  }
  return undefined;
}

function readFrom(path: string, text: string): ProviderFile {
  try {
    // JSON is YAML.
    return readProviderFile(parse(text), { directory: dirname(path) });
  } catch (error) {
    const where = error instanceof YAMLParseError ? ` line ${error.linePos?.[0].line ?? 1}:` : "";
    throw new CommandError({
      code: "providers_invalid",
      message: `${path}:${where} ${(error as Error).message}`,
      hint: "README.md shows a complete file; keys are references: env:NAME or file:PATH",
      cause: error,
    });
  }
}

function missing(file: string): (error: unknown) => never {
  return (error) => {
    throw new CommandError({
      code: "providers_missing",
      message: `${file} cannot be read: ${(error as Error).message}`,
      cause: error,
    });
  };
}

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
  throw error;
}
