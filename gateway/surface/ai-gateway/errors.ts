import { GatewayError, type GatewayErrorCode } from "../../errors.ts";
import type { RenderedError } from "../../http/call.ts";
import { renderError } from "../workers-ai/errors.ts";

/** AI Gateway's own codes, where they are not Workers AI's. */
const codes: Readonly<Partial<Record<GatewayErrorCode, readonly [code: number, status: number]>>> =
  {
    unauthenticated: [2009, 401],
    provider_not_configured: [2021, 400],
    model_not_found: [7003, 404],
  };

/** A run id that no run can have. */
export class MalformedRunIdError extends GatewayError {}

export function malformedRunId(): GatewayError {
  return new MalformedRunIdError(
    "invalid_request",
    "The run id or the number of events is malformed.",
  );
}

/** AI Gateway's failure: `{success: false, error: [{code, message}]}`, with the classic envelope's fields beside it. */
export function renderGatewayError(error: GatewayError): RenderedError {
  const classic = renderError(error);
  const own = error instanceof MalformedRunIdError ? ([2002, 500] as const) : codes[error.code];
  const envelope = classic.body as { readonly errors: readonly { readonly message: string }[] };
  const [code, status] = own ?? [undefined, classic.status];
  const errors = envelope.errors.map((item) => (code === undefined ? item : { ...item, code }));
  return { status, body: { ...envelope, errors, error: errors } };
}
