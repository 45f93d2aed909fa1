import { z } from "zod";

import { backoffs, streamRecoveries, type DetachPolicy, type RoutePolicy } from "../policy.ts";

/** What a route says about how calls are carried, in a document. All fields are optional. */
export interface PolicyBody {
  readonly attempts?: number;
  readonly retryDelayMs?: number;
  readonly backoff?: RoutePolicy["backoff"];
  readonly retryDelayMaxMs?: number;
  readonly deadlines?: RoutePolicy["deadlines"];
  readonly onStreamCut?: RoutePolicy["onStreamCut"];
  readonly onColdStart?: RoutePolicy["onColdStart"];
  readonly hedgeMs?: number;
  readonly detach?: "always" | "never" | { readonly graceMs: number };
}

/** More tries of one upstream only hold up the next one. */
const attemptsMax = 10;
/** An hour: what takes longer is a prediction with a webhook. */
const timeMsMax: number = 60 * 60_000;
const graceMsMax: number = 24 * 60 * 60_000;

const timeMs = z.int().positive().max(timeMsMax);
const optionalTimeMs = timeMs.exactOptional();

/** Schemas of optional fields, one for each of a body's. */
export type OptionalShape<Body> = {
  readonly [Name in keyof Body]-?: z.ZodExactOptional<z.ZodType<Exclude<Body[Name], undefined>>>;
};

export const policyShape: OptionalShape<PolicyBody> = {
  attempts: z.int().min(1).max(attemptsMax).exactOptional(),
  retryDelayMs: z.int().min(0).max(timeMsMax).exactOptional(),
  backoff: z.enum(backoffs).exactOptional(),
  retryDelayMaxMs: z.int().min(0).max(timeMsMax).exactOptional(),
  deadlines: z
    .strictObject({
      connectMs: optionalTimeMs,
      firstByteMs: optionalTimeMs,
      firstOutputMs: optionalTimeMs,
      idleMs: optionalTimeMs,
      totalMs: z.int().positive().max(graceMsMax).exactOptional(),
      startMs: optionalTimeMs,
    })
    .exactOptional(),
  onStreamCut: z.enum(streamRecoveries).exactOptional(),
  onColdStart: z.enum(["wait", "failover"]).exactOptional(),
  hedgeMs: optionalTimeMs,
  detach: z
    .union([
      z.enum(["always", "never"]),
      z.strictObject({ graceMs: z.int().min(0).max(graceMsMax) }),
    ])
    .exactOptional(),
};

export function policyOf(body: PolicyBody): Partial<RoutePolicy> {
  const { attempts, retryDelayMs, backoff, retryDelayMaxMs, deadlines } = body;
  const { onStreamCut, onColdStart, hedgeMs, detach } = body;
  return {
    ...(attempts !== undefined && { attempts }),
    ...(retryDelayMs !== undefined && { retryDelayMs }),
    ...(backoff !== undefined && { backoff }),
    ...(retryDelayMaxMs !== undefined && { retryDelayMaxMs }),
    ...(deadlines !== undefined && { deadlines }),
    ...(onStreamCut !== undefined && { onStreamCut }),
    ...(onColdStart !== undefined && { onColdStart }),
    ...(hedgeMs !== undefined && { hedgeMs }),
    ...(detach !== undefined && { detach: detachOf(detach) }),
  };
}

function detachOf(detach: NonNullable<PolicyBody["detach"]>): DetachPolicy {
  return typeof detach === "string" ? { kind: detach } : { kind: "grace", ms: detach.graceMs };
}
