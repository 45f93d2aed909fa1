import type { IncomingMessage } from "node:http";

import type { z } from "zod";

import { GatewayError } from "../errors.ts";
import { readBody } from "../http/body.ts";

const mib = 1024 * 1024;
/** An example's input may carry a picture as a data URI; everything else is far smaller. */
const bodyBytesMax: number = 16 * mib;

/**
 * Reads a JSON body and checks it.
 * @throws GatewayError `invalid_request` that names every wrong field, `too_large`
 */
export async function readAdminBody<Value>(
  request: IncomingMessage,
  schema: z.ZodType<Value>,
  options: { readonly bytesMax?: number } = {},
): Promise<Value> {
  const bytes = await readBody(request, { bytesMax: options.bytesMax ?? bodyBytesMax });
  let value: unknown;
  try {
    value = bytes.length === 0 ? {} : JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new GatewayError("invalid_request", "The body is not valid JSON.", { cause });
  }
  return check(schema, value);
}

/** @throws GatewayError `invalid_request` */
export function check<Value>(schema: z.ZodType<Value>, value: unknown, name?: string): Value {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => {
    const where = [...(name === undefined ? [] : [name]), ...path.map(String)].join(".");
    return `${where === "" ? "body" : where}: ${message}`;
  });
  throw new GatewayError("invalid_request", problems.join("; "), {
    hint: "GET /api/v1/openapi.json describes every body.",
  });
}
