import type { IncomingHttpHeaders } from "node:http";

import { GatewayError } from "../errors.ts";
import { detachGraceMaxMs } from "../limits.ts";
import type { DetachPolicy } from "../route/policy.ts";
import { streamTtlMaxMs } from "../stream/journal-limits.ts";

/** What a caller says about the life of its stream. */
export interface StreamWish {
  readonly detach?: DetachPolicy;
  /** Milliseconds that the stream can be read again after its end. */
  readonly ttlMs?: number;
}

const gracePattern = /^grace=(\d{1,6})s?$/;
const secondsPattern = /^\d{1,9}$/;

/**
 * `x-byom-detach: always | grace=Ns | never`: how long a stream goes on when nobody listens; `x-byom-stream-ttl: N`: for
 * how many seconds it can be read again after its end, a day at most. Undefined when neither is there.
 * @throws `GatewayError` `invalid_request` naming the header at fault
 */
export function streamWishOf(headers: IncomingHttpHeaders): StreamWish | undefined {
  const detach = headers["x-byom-detach"];
  const ttl = headers["x-byom-stream-ttl"];
  if (detach === undefined && ttl === undefined) return undefined;
  return {
    ...(detach !== undefined && { detach: parseDetach(String(detach)) }),
    ...(ttl !== undefined && { ttlMs: parseTtl(String(ttl)) }),
  };
}

function parseDetach(text: string): DetachPolicy {
  if (text === "always" || text === "true" || text === "1") return { kind: "always" };
  if (text === "never" || text === "false" || text === "0") return { kind: "never" };
  const seconds = gracePattern.exec(text)?.[1];
  const ms = Number(seconds) * 1_000;
  if (seconds !== undefined && ms <= detachGraceMaxMs) return { kind: "grace", ms };
  const bound = `up to grace=${detachGraceMaxMs / 1_000}s`;
  throw new GatewayError(
    "invalid_request",
    `x-byom-detach must be always, never or grace=Ns, ${bound}.`,
    { parameter: "x-byom-detach" },
  );
}

function parseTtl(text: string): number {
  if (secondsPattern.test(text)) return Math.min(Number(text) * 1_000, streamTtlMaxMs);
  throw new GatewayError("invalid_request", "x-byom-stream-ttl must be a number of seconds.", {
    parameter: "x-byom-stream-ttl",
  });
}
