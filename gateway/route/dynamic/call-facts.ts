import type { IncomingMessage } from "node:http";

import { isObject } from "../../http/body.ts";
import { metadataOf, type AigMetadata } from "../../http/aig-headers.ts";
import type { Call } from "../../http/call.ts";
import type { CallFacts } from "./facts.ts";

/** What a surface knows of a call beside its HTTP request. */
export interface AskedFacts {
  /** Over what the header says. */
  readonly metadata?: AigMetadata;
  /** The request's body as it came, or what was read of it. */
  readonly body?: Buffer | Readonly<Record<string, unknown>>;
}

/** @throws `GatewayError` `invalid_request` for metadata that is none */
export function factsOf(call: Call, asked: AskedFacts, nowMs: number): CallFacts {
  const { request, key, surface } = call;
  const { body } = asked;
  const inputBytes = Buffer.isBuffer(body) ? body.length : contentLength(request);
  let parsed: Readonly<Record<string, unknown>> | undefined;
  return {
    metadata: { ...metadataOf(request.headers), ...asked.metadata },
    headers: request.headers,
    nowMs,
    surface,
    ...(key !== undefined && { key: { id: key.id, name: key.name } }),
    ...(inputBytes !== undefined && { inputBytes }),
    ...(body !== undefined && { body: () => (parsed ??= objectIn(body)) }),
  };
}

function contentLength({ headers }: IncomingMessage): number | undefined {
  const length = Number(headers["content-length"] ?? Number.NaN);
  return Number.isSafeInteger(length) ? length : undefined;
}

/** What is no JSON object has no fields; the surface says what is wrong with it. */
function objectIn(body: NonNullable<AskedFacts["body"]>): Readonly<Record<string, unknown>> {
  if (!Buffer.isBuffer(body)) return body;
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
