import type { GatewayError, GatewayErrorCode } from "../../errors.ts";
import type { RenderedError } from "../../http/call.ts";

/** Workers AI's internal codes with their HTTP status, where it has one for what happened. */
const codes: Readonly<Record<GatewayErrorCode, readonly [code: number, status: number]>> = {
  invalid_request: [3003, 400],
  invalid_input: [5004, 400],
  unsupported_parameter: [5004, 400],
  unauthenticated: [10_000, 401],
  forbidden: [3041, 403],
  not_found: [7003, 404],
  model_not_found: [5007, 400],
  method_not_allowed: [10_405, 405],
  not_acceptable: [5004, 406],
  too_large: [3006, 413],
  capacity: [3040, 503],
  provider_not_configured: [2021, 400],
  rate_limited: [3040, 429],
  start_failed: [3040, 503],
  start_timeout: [3040, 503],
  shutting_down: [3040, 503],
  upstream_failed: [3043, 502],
  upstream_cut: [3043, 502],
  upstream_timeout: [3007, 408],
  prediction_failed: [3043, 500],
  canceled: [3008, 408],
  internal: [3043, 500],
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
  const hint =
    error.hint !== undefined && !error.message.includes(error.hint) ? ` ${error.hint}` : "";
  const messages =
    error.problems.length === 0
      ? [`${error.message}${hint}`]
      : error.problems.map(({ input, message }) => `${input} ${message}`);
  return {
    result: null,
    success: false,
    errors: messages.map((message) => ({ code, message })),
    messages: [],
  };
}

export function renderError(error: GatewayError): RenderedError {
  return { status: codes[error.code][1], body: failure(error) };
}
