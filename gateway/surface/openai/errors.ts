import type { GatewayError } from "../../errors.ts";

/** OpenAI's `type` for a status: SDKs choose their exception by status, people read the type. */
function errorType(error: GatewayError): string {
  switch (error.code) {
    case "unauthenticated":
      return "authentication_error";
    case "forbidden":
      return "permission_error";
    case "budget_exceeded":
      return "insufficient_quota";
    default:
      return error.status < 500 ? "invalid_request_error" : "server_error";
  }
}

/** OpenAI's own codes where it has one. */
function errorCode(error: GatewayError): string {
  if (error.code === "unauthenticated") return "invalid_api_key";
  if (error.code === "budget_exceeded") return "insufficient_quota";
  return error.code;
}

/** A failure in OpenAI's shape: `{"error":{message,type,param,code}}`. */
export function openAiError(error: GatewayError): { readonly error: Record<string, unknown> } {
  const problem = error.problems[0];
  const details = error.problems.map(({ input, message }) => `${input} ${message}`).join("; ");
  const message = details === "" ? error.message : `${error.message} ${details}.`;
  return {
    error: {
      message: error.hint === undefined ? message : withHint(message, error.hint),
      type: errorType(error),
      param: error.parameter ?? problem?.input ?? null,
      code: errorCode(error),
    },
  };
}

function withHint(message: string, hint: string): string {
  return message.includes(hint) ? message : `${message} ${hint}`;
}
