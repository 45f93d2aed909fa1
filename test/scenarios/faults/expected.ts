import type { GatewayErrorCode } from "../../../gateway/errors.ts";
import type { Fault } from "../../support/fault-server.ts";

/** The answer of every upstream here, in the pieces of a stream. */
export const pieces = ["One, ", "two, ", "three, ", "four."] as const;
export const wholeText: string = pieces.join("");

const codes: Readonly<Record<Fault, readonly GatewayErrorCode[]>> = {
  "connect-refused": ["upstream_failed", "capacity"],
  // A resolver may take its time.
  dns: ["upstream_failed", "capacity", "upstream_timeout"],
  tls: ["upstream_failed", "capacity"],
  "429": ["rate_limited"],
  "500": ["upstream_failed"],
  // An own model's instance that is not ready.
  "503": ["upstream_failed", "capacity"],
  "headers-timeout": ["upstream_timeout"],
  "first-token-timeout": ["upstream_timeout"],
  stall: ["upstream_timeout"],
  "cut-rst": ["upstream_cut"],
  "cut-fin": ["upstream_cut"],
  "cut-before-end": ["upstream_cut", "upstream_failed"],
  "malformed-event": ["upstream_failed"],
  "malformed-first-event": ["upstream_failed"],
  "error-in-stream": ["upstream_failed", "prediction_failed"],
  "error-first-in-stream": ["upstream_failed", "prediction_failed"],
  empty: ["upstream_failed", "upstream_cut"],
  "slow-drip": ["upstream_timeout"],
  "wrong-content-type": ["upstream_failed"],
};

/** How the failed try stands in the call's record. */
export function expectedCodes(fault: Fault): readonly GatewayErrorCode[] {
  return codes[fault];
}

const afterOutput: ReadonlySet<Fault> = new Set([
  "stall",
  "cut-rst",
  "cut-fin",
  "cut-before-end",
  "malformed-event",
  "error-in-stream",
]);

/** Whether the caller of a streamed call has read text before the fault strikes. */
export function isAfterOutput(fault: Fault): boolean {
  return afterOutput.has(fault);
}

/** What an accepted prediction waits out: it certainly did not begin. */
export const waitedFor: ReadonlySet<Fault> = new Set(["connect-refused", "dns", "503", "429"]);
