import type { IncomingMessage } from "node:http";

import { GatewayError } from "../errors.ts";
import { requestBytesMax } from "../limits.ts";

/**
 * Reads a request's body.
 * @throws `GatewayError`: `too_large` beyond `bytesMax`, `canceled` when the caller leaves before its end
 */
export async function readBody(
  request: IncomingMessage,
  options: { readonly bytesMax?: number } = {},
): Promise<Buffer> {
  const bytesMax = options.bytesMax ?? requestBytesMax;
  const tooLarge = (): GatewayError =>
    new GatewayError("too_large", `The request's body is larger than ${bytesMax} bytes.`);
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) throw tooLarge();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  // Events and not `for await`: an iterator over a stream costs as much as the whole rest of a small call.
  await new Promise<void>((resolve, reject) => {
    const left = (cause?: Error): void => {
      const facts = cause === undefined ? {} : { cause };
      reject(new GatewayError("canceled", "The caller left before the body was complete.", facts));
    };
    request.on("data", (chunk: Buffer) => {
      const wasTooLarge = sizeBytes > bytesMax;
      sizeBytes += chunk.length;
      // The rest of a body that is too large is read past, so that the answer can be heard.
      if (wasTooLarge) return;
      if (sizeBytes > bytesMax) {
        chunks.length = 0;
        reject(tooLarge());
      } else {
        chunks.push(chunk);
      }
    });
    request.once("end", () => {
      request.off("close", left);
      resolve();
    });
    request.once("error", left);
    request.once("close", left);
  });
  return chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks);
}

/**
 * Reads a request's body as a JSON object.
 * @throws `GatewayError` `invalid_request` when it is something else
 */
export async function readJsonObject(request: IncomingMessage): Promise<Record<string, unknown>> {
  return parseJsonObject(await readBody(request));
}

/**
 * A body as a JSON object.
 * @throws `GatewayError` `invalid_request` when it is something else
 */
export function parseJsonObject(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw new GatewayError("invalid_request", "The request's body is not valid JSON.", { cause });
  }
  if (!isObject(value)) {
    throw new GatewayError("invalid_request", "The request's body must be a JSON object.");
  }
  return value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
