import type { GatewayError } from "../../errors.ts";

/**
 * Anthropic's statuses where it has one of its own: 529 is its word for a service that has no room, 402 for money that
 * is used up. A budget that calls in flight hold is a limit like others.
 */
export function anthropicStatus(error: GatewayError): number {
  if (error.code === "capacity") return 529;
  return error.code === "budget_exceeded" && !error.isRetryable ? 402 : error.status;
}

const typeByStatus: Readonly<Record<number, string>> = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error",
};

/** A failure in Anthropic's shape: `{"type":"error","error":{type,message},"request_id"}`. */
export function anthropicError(error: GatewayError, requestId: string): Record<string, unknown> {
  const status = anthropicStatus(error);
  const type = typeByStatus[status] ?? (status < 500 ? "invalid_request_error" : "api_error");
  const details = error.problems.map(({ input, message }) => `${input} ${message}`).join("; ");
  const said = details === "" ? error.message : `${error.message} ${details}.`;
  const { hint } = error;
  const message = hint === undefined || said.includes(hint) ? said : `${said} ${hint}`;
  return { type: "error", error: { type, message }, request_id: requestId };
}
