import { GatewayError, type GatewayErrorCode } from "../../errors.ts";
import type { RenderedError } from "../../http/call.ts";

/**
 * Workers AI's internal codes with their HTTP status, where it has one for what happened. Clients that run behind a
 * binding see only the code and tell from it whether to try again (3040 and 3036: yes).
 * Source: developers.cloudflare.com/workers-ai/platform/errors, 2026-08.
 */
const codes: Readonly<Record<GatewayErrorCode, readonly [code: number, status: number]>> = {
  invalid_request: [3003, 400],
  invalid_input: [5004, 400],
  unsupported_parameter: [5004, 400],
  unauthenticated: [10_000, 401],
  forbidden: [3041, 403],
  not_found: [7003, 404],
  model_not_found: [5007, 400],
  method_not_allowed: [10_405, 405],
  conflict: [3003, 409],
  not_acceptable: [5004, 406],
  too_large: [3006, 413],
  capacity: [3040, 429],
  provider_not_configured: [2021, 400],
  rate_limited: [3040, 429],
  // "Account limited": the account's allowance is used up.
  budget_exceeded: [3036, 429],
  start_failed: [3043, 503],
  start_timeout: [3040, 429],
  shutting_down: [3040, 429],
  upstream_failed: [3043, 502],
  upstream_cut: [3043, 502],
  upstream_timeout: [3007, 408],
  prediction_failed: [3043, 500],
  canceled: [3008, 408],
  internal: [3043, 500],
};

/** Words of the newer run envelope, where the code of the gateway is not one. */
const stateCodes: Readonly<Partial<Record<GatewayErrorCode, string>>> = {
  upstream_failed: "provider_unavailable",
  upstream_cut: "provider_unavailable",
  start_failed: "provider_unavailable",
};

export interface Envelope {
  readonly result: unknown;
  readonly success: boolean;
  readonly errors: readonly { readonly code: number; readonly message: string }[];
  readonly messages: readonly unknown[];
}

/** Cloudflare's envelope around a result. */
export function success(result: unknown): Envelope {
  return { result, success: true, errors: [], messages: [] };
}

/** Cloudflare's envelope around a failure: one entry per problem. */
export function failure(error: GatewayError): Envelope {
  const [code] = codes[error.code];
  return {
    result: null,
    success: false,
    errors: messagesOf(error).map((message) => ({ code, message })),
    messages: [],
  };
}

export function renderError(error: GatewayError): RenderedError {
  return { status: codes[error.code][1], body: failure(error) };
}

/**
 * A failure as the binding of Workers reads it: `internalCode` and `description` make the message of its
 * `InferenceUpstreamError`, `errors` that of its gateway and catalog calls.
 */
export function renderBindingError(error: GatewayError): RenderedError {
  const [internalCode, status] = codes[error.code];
  const description = messagesOf(error).join("; ");
  const name = "InferenceUpstreamError";
  return {
    status,
    body: { name, internalCode, message: description, description, ...failure(error) },
  };
}

/** The newer run envelope of a failure, with the classic one in the same object. */
export function failedState(error: GatewayError, model: string): Record<string, unknown> {
  const code = stateCodes[error.code] ?? error.code;
  return {
    state: "Failed",
    error: { code, message: messagesOf(error).join("; ") },
    model,
    ...failure(error),
  };
}

/** A failure that is to be told in the newer envelope; it knows which model it was about. */
export class RunStateError extends GatewayError {
  readonly model: string;

  constructor(error: GatewayError, model: string) {
    super(error.code, error.message, {
      problems: error.problems,
      cause: error.cause,
      ...(error.parameter !== undefined && { parameter: error.parameter }),
      ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
      ...(error.hint !== undefined && { hint: error.hint }),
    });
    this.model = model;
  }
}

function messagesOf(error: GatewayError): readonly string[] {
  if (error.problems.length > 0) {
    return error.problems.map(({ input, message }) => `${input} ${message}`);
  }
  const { hint, message } = error;
  return [hint === undefined || message.includes(hint) ? message : `${message} ${hint}`];
}
