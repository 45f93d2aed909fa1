import { readFile } from "node:fs/promises";
import { request } from "undici";
import type { Command } from "../command.ts";
import { CommandError, UsageError } from "../errors.ts";
import { connectPlatform } from "../platform-client.ts";

/** models.dev's whole list is some megabytes. */
const listBytesMax = 64 * 1024 * 1024;
const listTimeoutMs = 60_000;

export const modelsRefresh: Command = {
  usage: "--from FILE|URL",
  options: {
    from: {
      type: "string",
      value: "FILE|URL",
      help: "a list in the shape of models.dev's api.json or LiteLLM's price list",
    },
  },
  async run({ flags, context }) {
    const source = flags.text("from");
    if (source === undefined) {
      throw new UsageError("--from is missing", "--from https://models.dev/api.json");
    }
    // Fetched here and not by the platform, which has no need to reach any list.
    const text = /^https?:\/\//i.test(source)
      ? await download(source, context.signal)
      : await readList(source, context.signal);
    const document = parse(source, text);
    const platform = await connectPlatform(context);
    const report = (await platform.call("POST", "/api/v1/catalog/refresh", {
      source,
      document,
    })) as { format: string; models: number; updated: number; listed: number };
    const { format, updated, listed } = report;
    context.output.answer(
      `${updated} models have the facts of ${source} (${format}); ${listed} more are listed`,
      report,
    );
  },
};

async function download(url: string, signal: AbortSignal): Promise<string> {
  const response = await request(url, {
    headers: { accept: "application/json" },
    signal: AbortSignal.any([signal, AbortSignal.timeout(listTimeoutMs)]),
  });
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body) {
    const bytes = chunk as Buffer;
    sizeBytes += bytes.length;
    if (sizeBytes > listBytesMax) throw refused(url, `more than ${listBytesMax} bytes`);
    chunks.push(bytes);
  }
  if (response.statusCode !== 200) throw refused(url, `status ${response.statusCode}`);
  return Buffer.concat(chunks).toString("utf8");
}

async function readList(file: string, signal: AbortSignal): Promise<string> {
  try {
    return await readFile(file, { encoding: "utf8", signal });
  } catch (error) {
    throw refused(file, (error as Error).message);
  }
}

function parse(source: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw refused(source, "not JSON");
  }
}

function refused(source: string, why: string): CommandError {
  return new CommandError({
    code: "list_unreadable",
    message: `${source} cannot be read: ${why}`,
    hint: "the facts that were there stay",
  });
}
