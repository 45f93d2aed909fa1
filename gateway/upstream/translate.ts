import { GatewayError } from "../errors.ts";
import type { InputProblem } from "../catalog/validate-input.ts";
import { retryAfterDefaultMs } from "../limits.ts";
import { retryAfterOf } from "./provider/failure.ts";

/** The instance certainly did not begin this prediction, so it may be tried again elsewhere. */
export class NotBegunError extends Error {
  override readonly name = "NotBegunError";
  /** `busy`: all slots taken; `not-ready`; `unreachable`: no connection; `not-streaming`: it refuses to stream. */
  readonly why: "busy" | "not-ready" | "unreachable" | "not-streaming";

  constructor(why: NotBegunError["why"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.why = why;
  }
}

/** coglet's answers other than 200 (its status codes are listed in the container's HTTP API). */
export function translateAnswer(
  status: number,
  body: Buffer,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Error {
  const message = messageOf(body);
  switch (status) {
    case 406:
      return new NotBegunError("not-streaming", message);
    case 409:
      return new NotBegunError("busy", message);
    case 503:
      return new NotBegunError("not-ready", message);
    case 422:
      return new GatewayError("invalid_input", "The model refused the input.", {
        upstreamStatus: status,
        problems: problemsOf(body),
      });
    // coglet never says so; a proxy before it may.
    case 429: {
      const upstreamRetryAfterMs = retryAfterOf({ headers, body: undefined });
      return new GatewayError("rate_limited", `The model's server limits its calls: ${message}`, {
        upstreamStatus: status,
        retryAfterMs: upstreamRetryAfterMs ?? retryAfterDefaultMs,
        ...(upstreamRetryAfterMs !== undefined && { upstreamRetryAfterMs }),
      });
    }
    default:
      return new GatewayError("upstream_failed", `The model answered ${status}: ${message}`, {
        upstreamStatus: status,
      });
  }
}

const timeoutCodes: ReadonlySet<string> = new Set([
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
]);
const unreachableCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** undici's failures; `isAnswered`: a response head had arrived. */
export function translateFailure(
  error: Error,
  state: { readonly isAnswered: boolean; readonly events: number },
): Error {
  const code = "code" in error ? String(error.code) : "";
  if (timeoutCodes.has(code)) {
    return new GatewayError(
      "upstream_timeout",
      state.isAnswered ? "The model's stream went silent." : "The model did not begin to answer.",
      { cause: error },
    );
  }
  if (unreachableCodes.has(code)) {
    return new NotBegunError("unreachable", `The instance cannot be reached (${code}).`, error);
  }
  if (state.isAnswered) {
    return new GatewayError(
      "upstream_cut",
      `The connection to the model broke after ${state.events} events.`,
      { cause: error },
    );
  }
  return new GatewayError(
    "upstream_failed",
    "The connection to the model broke before it answered.",
    {
      cause: error,
    },
  );
}

function messageOf(body: Buffer): string {
  const text = body.toString("utf8");
  try {
    const parsed = JSON.parse(text) as { readonly error?: unknown; readonly detail?: unknown };
    if (typeof parsed.error === "string") return parsed.error;
    if (typeof parsed.detail === "string") return parsed.detail;
  } catch {
    // Not JSON: shown as it is.
  }
  return text.slice(0, 500) || "(empty body)";
}

function problemsOf(body: Buffer): readonly InputProblem[] {
  try {
    const parsed = JSON.parse(body.toString("utf8")) as {
      readonly detail?: readonly { readonly loc?: readonly unknown[]; readonly msg?: unknown }[];
    };
    if (!Array.isArray(parsed.detail)) return [];
    return parsed.detail.map((entry) => {
      const path = (entry.loc ?? []).slice(2).map(String);
      return {
        input: path[0] ?? "input",
        kind: "refused",
        message: String(entry.msg ?? "refused"),
      };
    });
  } catch {
    return [];
  }
}
