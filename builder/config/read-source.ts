import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { RepositoryReadError } from "../errors.ts";
import type { Problem } from "../problem.ts";
import { parseSource } from "./source.ts";
import type { SourceDocument } from "./source.ts";

/** A configuration file of this size is not one: the parser would need minutes for it. */
const fileBytesMax = 1024 * 1024;

/** Reads a YAML file of the model repo; undefined when there is none. Throws {@link RepositoryReadError}. */
export async function readSource(options: {
  readonly directory: string;
  readonly file: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<{ document?: SourceDocument; problems: Problem[] } | undefined> {
  const { file, signal } = options;
  const path = join(options.directory, file);
  signal?.throwIfAborted();
  try {
    const stats = await stat(path);
    if (stats.size > fileBytesMax) {
      const message = `${stats.size} bytes are more than the ${fileBytesMax} that byom reads`;
      return { problems: [{ severity: "error", file, line: 1, message }] };
    }
    const bytes = await readFile(path, signal === undefined ? {} : { signal });
    return parseSource(file, new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof TypeError) {
      const hint = "save the file as UTF-8";
      return { problems: [{ severity: "error", file, line: 1, message: "not UTF-8 text", hint }] };
    }
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new RepositoryReadError({ path, cause });
  }
}
