import { createHash } from "node:crypto";

import type { Call } from "./call.ts";
import { sendJson, type Headers } from "./respond.ts";

/**
 * Sends a JSON answer with a tag made of its bytes; a reader that has them already (`If-None-Match`) gets 304 and no
 * body (RFC 9110, 13.1.2). Such answers are for one key: shared caches keep out.
 */
export function sendTagged(
  call: Pick<Call, "request" | "response" | "method">,
  options: { readonly status?: number; readonly body: unknown; readonly headers?: Headers },
): void {
  const { status = 200, body, headers } = options;
  const bytes = Buffer.from(JSON.stringify(body));
  if (call.method !== "GET" || status !== 200) {
    sendJson(call.response, {
      status,
      body: bytes,
      headers: { "cache-control": "no-store", ...headers },
    });
    return;
  }
  const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, tagLength)}"`;
  const shared = { etag, "cache-control": "private, no-cache", ...headers };
  if (isKnown(call.request.headers["if-none-match"], etag)) {
    call.response.writeHead(304, shared).end();
    return;
  }
  sendJson(call.response, { body: bytes, headers: shared });
}

/** 132 bits: no two answers meet by chance. */
const tagLength = 22;

/** Compared weakly, as for every read: `W/` does not matter. */
function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((tag) => {
    const known = tag.trim().replace(/^W\//, "");
    return known === etag || known === "*";
  });
}
