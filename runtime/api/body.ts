import type { IncomingMessage } from "node:http";

import type { z } from "zod";

import { RequestError } from "./failure.ts";
import { describeIssues } from "./schemas.ts";

/** An example's input may carry a picture as a data URI; everything else is far smaller. */
const bodyBytesMax = 16 * 1024 * 1024;

/** Reads a JSON body and checks it against a schema. @throws RequestError 400 or 413. */
export async function readBody<Schema extends z.ZodType>(
  request: IncomingMessage,
  schema: Schema,
): Promise<z.output<Schema>> {
  const bytes = await readBytes(request);
  let value: unknown;
  try {
    value = bytes.length === 0 ? {} : JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new RequestError(400, "invalid_json", "the body is not JSON");
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new RequestError(
    400,
    "invalid_request",
    describeIssues(result.error),
    "GET /api/v1/openapi.json describes every body",
  );
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request) {
    const bytes = chunk as Buffer;
    sizeBytes += bytes.length;
    if (sizeBytes > bodyBytesMax) {
      throw new RequestError(
        413,
        "body_too_large",
        `the body is larger than ${bodyBytesMax} bytes`,
      );
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
