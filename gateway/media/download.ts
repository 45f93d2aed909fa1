import { request } from "undici";

import { GatewayError } from "../errors.ts";
import {
  checkUrl,
  createGuardedDispatcher,
  isRefusedTarget,
  type AllowList,
} from "../http/url-guard.ts";
import { fileBytesMax } from "../limits.ts";
import { normalType, type FileContent, type OutputFile } from "./output.ts";

/** From the request to the head of the answer, and between two reads of it. */
const silenceMs = 30_000;

/**
 * The bytes of a file that a model made. One that it left at some URL is fetched, from the public network only: what a
 * model writes is no better known than what a caller sends.
 * @throws `GatewayError` `upstream_failed`
 */
export async function fileContent(
  file: OutputFile,
  options: DownloadOptions,
): Promise<FileContent> {
  return "bytes" in file ? file : download(file.url, options);
}

export interface DownloadOptions {
  /** Private hosts from which the operator lets files be fetched. */
  readonly allow: AllowList;
  readonly signal: AbortSignal;
}

async function download(text: string, { allow, signal }: DownloadOptions): Promise<FileContent> {
  const url = outputUrl(text, allow);
  const dispatcher = createGuardedDispatcher({ connections: 1, allow });
  try {
    const answer = await request(url, {
      dispatcher,
      signal,
      headersTimeout: silenceMs,
      bodyTimeout: silenceMs,
    });
    if (answer.statusCode !== 200) throw failed(url, `it answered ${answer.statusCode}`);
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > fileBytesMax) throw failed(url, `it is larger than ${fileBytesMax} bytes`);
      chunks.push(chunk);
    }
    const bytes = Buffer.concat(chunks);
    return { contentType: normalType(String(answer.headers["content-type"] ?? ""), bytes), bytes };
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    if (signal.aborted) throw signal.reason;
    const why = isRefusedTarget(error) ? "it is not on the public network" : "it cannot be reached";
    throw failed(url, why, error);
  } finally {
    await dispatcher.destroy();
  }
}

function outputUrl(text: string, allow: AllowList): URL {
  try {
    return checkUrl(text, { parameter: "output", allow });
  } catch (cause) {
    throw new GatewayError(
      "upstream_failed",
      "The model left its file at a URL that is not public.",
      {
        cause,
      },
    );
  }
}

function failed(url: URL, why: string, cause?: unknown): GatewayError {
  return new GatewayError(
    "upstream_failed",
    `The model left its file at ${url.host}, but ${why}.`,
    cause === undefined ? {} : { cause },
  );
}
