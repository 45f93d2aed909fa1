import type { GatewayError, GatewayErrorCode } from "../errors.ts";

/**
 * What a failure of one leg means for the call. `final`: the caller's own fault, or nobody's, so that another upstream
 * would fail alike; `elsewhere`: another upstream may do better, this one would do the same again; `again`: this one
 * may do better, too.
 */
export type Verdict = "final" | "elsewhere" | "again";

const verdicts: Readonly<Record<GatewayErrorCode, Verdict>> = {
  invalid_request: "final",
  invalid_input: "final",
  unsupported_parameter: "final",
  unauthenticated: "final",
  forbidden: "final",
  not_found: "final",
  method_not_allowed: "final",
  conflict: "final",
  not_acceptable: "final",
  too_large: "final",
  budget_exceeded: "final",
  shutting_down: "final",
  canceled: "final",
  internal: "final",
  // Of an upstream that the catalog names: the operator's fault.
  model_not_found: "elsewhere",
  provider_not_configured: "elsewhere",
  prediction_failed: "elsewhere",
  start_failed: "elsewhere",
  start_timeout: "elsewhere",
  // It has been waited for as long as it makes sense.
  capacity: "elsewhere",
  upstream_timeout: "elsewhere",
  rate_limited: "again",
  upstream_failed: "again",
  upstream_cut: "again",
};

/** Answers that the same upstream would give again: a key that is refused, or one that is not paid for. */
const lastingStatuses: ReadonlySet<number> = new Set([401, 402, 403, 404, 405, 501]);

export function verdictOn(failure: GatewayError): Verdict {
  if (failure.isFinal) return "final";
  const { code, upstreamStatus: status } = failure;
  if (status !== undefined && lastingStatuses.has(status)) return "elsewhere";
  // The upstream said so itself, and at once: no time was lost on its silence.
  if (code === "upstream_timeout" && status !== undefined) return "again";
  return verdicts[code];
}

/** Whether it says that something is wrong with the upstream, rather than with this one call. */
export function isUpstreamsFault(failure: GatewayError): boolean {
  return verdictOn(failure) !== "final" && failure.code !== "prediction_failed";
}
