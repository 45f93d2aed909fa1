import type { ServerResponse } from "node:http";

import type { GatewayError } from "../errors.ts";
import { retryAfterDefaultMs } from "../limits.ts";
import type { Run } from "../prediction/run.ts";
import { legHeaders } from "../route/leg-headers.ts";

export type Headers = Readonly<Record<string, string>>;

/**
 * Sends a JSON answer. The content type carries no charset: `env.AI` of Workers parses only exactly this.
 */
export function sendJson(
  response: ServerResponse,
  options: { readonly status?: number; readonly body: unknown; readonly headers?: Headers },
): void {
  const isRaw = Buffer.isBuffer(options.body);
  const bytes = isRaw ? (options.body as Buffer) : Buffer.from(JSON.stringify(options.body));
  response.writeHead(options.status ?? 200, {
    "content-type": "application/json",
    "content-length": String(bytes.length),
    ...options.headers,
  });
  response.end(bytes);
}

/** What served a run, which upstreams were tried, and how the instance started, as far as it is known. */
export function startHeaders(run: Run): Headers {
  const { served } = run;
  const named = {
    ...cacheHeaders(run),
    ...run.wait.headers(),
    "x-byom-prediction": run.id,
    "cf-aig-log-id": run.id,
    ...legHeaders(run.journey),
  };
  if (served === undefined) return named;
  const { mode, reason, totalMs, phases } = served.start;
  const timing = phases.map(
    ({ name, ms, bytes }) =>
      `${token(name)};dur=${round(ms)}${bytes === undefined ? "" : `;bytes=${bytes}`}`,
  );
  return {
    ...named,
    "x-byom-instance": printable(served.instanceId),
    "x-byom-version": String(served.version),
    "x-byom-start": mode,
    "x-byom-start-ms": String(round(totalMs)),
    ...(reason === undefined ? {} : { "x-byom-start-reason": printable(reason) }),
    ...(timing.length === 0
      ? {}
      : { "x-byom-start-phases": timing.join(", "), "server-timing": timing.join(", ") }),
  };
}

function cacheHeaders({ cached, request }: Run): Headers {
  if (cached === undefined) {
    return request.cache === undefined ? {} : { "cf-aig-cache-status": "MISS" };
  }
  const { status, ageMs } = cached;
  return {
    "cf-aig-cache-status": status,
    ...(ageMs !== undefined && { age: String(Math.floor(ageMs / 1000)) }),
  };
}

/** Headers of a failure: when to come back, and for SDKs that retry by themselves whether it makes sense. */
export function errorHeaders(error: GatewayError): Headers {
  if (!error.isRetryable) return { "x-should-retry": "false" };
  const ms = error.retryAfterMs ?? retryAfterDefaultMs;
  return {
    "retry-after": String(Math.max(1, Math.ceil(ms / 1000))),
    "retry-after-ms": String(ms),
    "x-should-retry": "true",
  };
}

/** A header's value: whatever HTTP does not carry becomes a space. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, " ").trim();
}

/** A metric name of Server-Timing is a token (RFC 9110). */
function token(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9!#$%&'*+.^_`|~-]+/g, "-");
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
