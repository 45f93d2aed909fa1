import { request } from "undici";

import { GatewayError } from "../../errors.ts";
import {
  checkUrl,
  createGuardedDispatcher,
  isRefusedTarget,
  type AllowList,
} from "../../http/url-guard.ts";
import { fileBytesMax } from "../../limits.ts";
import type { ProviderFile } from "./adapter.ts";

/** From the request to the head of the answer, and between two reads of it. */
const silenceMs = 30_000;

/** Gets what an URL in an input refers to. */
export type FetchFile = (url: string, signal: AbortSignal) => Promise<ProviderFile>;

/**
 * Gets files that callers name by URL, for providers that take bytes only: from the public network, and from the
 * private hosts that the operator allows.
 */
export function createFetchFile(options: {
  readonly allow: AllowList;
  /** TCP connection to the file's host. */
  readonly connectMs: number;
}): FetchFile {
  const { allow, connectMs } = options;
  return async (text, signal) => {
    const url = checkUrl(text, { parameter: "input", allow });
    const dispatcher = createGuardedDispatcher({ connections: 1, connectMs, allow });
    try {
      const { statusCode, headers, body } = await request(url, {
        dispatcher,
        signal,
        headersTimeout: silenceMs,
        bodyTimeout: silenceMs,
      });
      if (statusCode !== 200) throw failed(url, `it answered ${statusCode}`);
      const chunks: Buffer[] = [];
      let sizeBytes = 0;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        sizeBytes += chunk.length;
        if (sizeBytes > fileBytesMax) throw failed(url, `it is larger than ${fileBytesMax} bytes`);
        chunks.push(chunk);
      }
      const [type = ""] = String(headers["content-type"] ?? "").split(";", 1);
      const contentType = type.trim().toLowerCase() || "application/octet-stream";
      return { contentType, bytes: Buffer.concat(chunks) };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof GatewayError) throw error;
      const why = isRefusedTarget(error)
        ? "it is not on the public network"
        : "it cannot be reached";
      throw failed(url, why, error);
    } finally {
      await dispatcher.destroy();
    }
  };
}

function failed(url: URL, why: string, cause?: unknown): GatewayError {
  return new GatewayError("invalid_input", `The file at ${url.host} cannot be read: ${why}.`, {
    parameter: "input",
    ...(cause === undefined ? {} : { cause }),
  });
}
