import type { IncomingHttpHeaders } from "node:http";

import { GatewayError } from "../errors.ts";

export type AigMetadata = Readonly<Record<string, string | number | boolean>>;

/** What the `cf-aig-*` headers of a request say. */
export interface AigHeaders {
  /** All keys are kept; Cloudflare keeps the first five. */
  readonly metadata?: AigMetadata;
  readonly gatewayId?: string;
  /** The caller's own id of this event; comes back in the answer. */
  readonly eventId?: string;
  /** Milliseconds to the first byte of the answer. */
  readonly requestTimeoutMs?: number;
  readonly cacheKey?: string;
  /** Seconds. */
  readonly cacheTtl?: number;
  readonly skipCache?: boolean;
  readonly collectLog?: boolean;
  readonly maxAttempts?: number;
  readonly retryDelayMs?: number;
  readonly backoff?: string;
}

/** A metadata value that a person writes fits; a document does not. */
const metadataBytesMax = 4 * 1024;
const attemptsMax = 5;
const retryDelayMsMax = 5_000;

/**
 * Reads the `cf-aig-*` headers of a request (of a step of the universal endpoint, too).
 * @throws `GatewayError` `invalid_request` naming the header at fault
 */
export function readAigHeaders(
  headers: IncomingHttpHeaders | Readonly<Record<string, string>>,
): AigHeaders {
  const text = (name: string): string | undefined => {
    const value = headers[`cf-aig-${name}`];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const metadata = text("metadata");
  return {
    ...(metadata !== undefined && { metadata: parseMetadata(metadata) }),
    ...optional("gatewayId", text("gateway-id")),
    ...optional("eventId", text("event-id")),
    ...optional("requestTimeoutMs", readCount("request-timeout", text("request-timeout"))),
    ...optional("cacheKey", text("cache-key")),
    ...optional("cacheTtl", readCount("cache-ttl", text("cache-ttl"))),
    ...optional("skipCache", readFlag("skip-cache", text("skip-cache"))),
    ...optional("collectLog", readFlag("collect-log", text("collect-log"))),
    ...optional("maxAttempts", readCount("max-attempts", text("max-attempts"), attemptsMax)),
    ...optional("retryDelayMs", readCount("retry-delay", text("retry-delay"), retryDelayMsMax)),
    ...optional("backoff", text("backoff")),
  };
}

/**
 * Metadata of a call: a flat object of strings, numbers and booleans. A `null` says nothing and is left out, as the
 * Workers types allow one.
 * @throws `GatewayError` `invalid_request`
 */
export function checkMetadata(value: unknown, where: string): AigMetadata {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(where, "must be a flat JSON object");
  }
  const metadata: Record<string, string | number | boolean> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item === null) continue;
    if (typeof item !== "string" && typeof item !== "number" && typeof item !== "boolean") {
      throw invalid(where, `has ${key}, which is neither a string, a number nor a boolean`);
    }
    metadata[key] = item;
  }
  return metadata;
}

/** Metadata that the `cf-aig-metadata` header of a call gives; nothing is parsed when there is none. */
export function metadataOf(headers: IncomingHttpHeaders): AigMetadata | undefined {
  const value = headers["cf-aig-metadata"];
  return typeof value === "string" && value !== "" ? parseMetadata(value) : undefined;
}

/**
 * The caller's own key for a third party. Beside `cf-aig-authorization`, which is the key of this gateway,
 * `Authorization` or `x-api-key` is the provider's.
 */
export function callerProviderKey(headers: IncomingHttpHeaders): string | undefined {
  const own = headers["x-byom-provider-key"];
  if (typeof own === "string" && own !== "") return own;
  if (headers["cf-aig-authorization"] === undefined) return undefined;
  const bearer = /^bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? "")?.[1];
  if (bearer !== undefined) return bearer;
  const apiKey = headers["x-api-key"];
  return typeof apiKey === "string" && apiKey !== "" ? apiKey : undefined;
}

function parseMetadata(text: string): AigMetadata {
  const where = "cf-aig-metadata";
  if (Buffer.byteLength(text) > metadataBytesMax) {
    throw invalid(where, `is longer than ${metadataBytesMax} bytes`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(where, "is not valid JSON");
  }
  return checkMetadata(value, where);
}

/** The whole number of a `cf-aig-NAME` header. @throws `GatewayError` `invalid_request` */
export function readCount(
  name: string,
  text: string | undefined,
  max?: number,
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > (max ?? Number.MAX_SAFE_INTEGER)) {
    const bound = max === undefined ? "" : ` up to ${max}`;
    throw invalid(`cf-aig-${name}`, `must be a whole number${bound}`);
  }
  return value;
}

/** The yes or no of a `cf-aig-NAME` header. @throws `GatewayError` `invalid_request` */
export function readFlag(name: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw invalid(`cf-aig-${name}`, "must be true or false");
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [key in Name]: Value });
}

function invalid(where: string, what: string): GatewayError {
  return new GatewayError("invalid_request", `${where} ${what}.`, { parameter: where });
}
