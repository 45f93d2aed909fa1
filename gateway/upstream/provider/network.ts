import { GatewayError } from "../../errors.ts";
import { retryAfterDefaultMs, type Deadlines } from "../../limits.ts";
import { cutStream } from "./failure.ts";
import type { Provider } from "./providers.ts";

const unreachableCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** What undici threw on the way to or from a provider, in the gateway's words; each deadline is named. */
export function translateNetworkFailure(
  error: unknown,
  context: {
    readonly provider: Provider;
    readonly deadlines: Deadlines;
    readonly signal: AbortSignal;
    /** `head`: nothing had been answered yet. */
    readonly phase: "head" | "body";
  },
): unknown {
  const { deadlines, signal, phase } = context;
  const { name } = context.provider;
  if (signal.aborted) return signal.reason;
  if (error instanceof GatewayError) return error;
  if (error instanceof RangeError) {
    return new GatewayError("upstream_failed", `${name}: ${error.message}.`, { cause: error });
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const timeout = (text: string): GatewayError =>
    new GatewayError("upstream_timeout", `${name} ${text}`, { cause: error });
  if (code === "UND_ERR_CONNECT_TIMEOUT") {
    return timeout(`could not be reached within ${deadlines.connectMs} ms.`);
  }
  if (code === "UND_ERR_HEADERS_TIMEOUT") {
    return timeout(`did not begin to answer within ${deadlines.firstByteMs} ms.`);
  }
  if (code === "UND_ERR_BODY_TIMEOUT") {
    return timeout(`went silent for ${deadlines.idleMs} ms within its answer.`);
  }
  if (unreachableCodes.has(code)) {
    return new GatewayError("upstream_failed", `${name} cannot be reached (${code}).`, {
      cause: error,
      retryAfterMs: retryAfterDefaultMs,
    });
  }
  if (phase === "body") return cutStream(name, error);
  return new GatewayError(
    "upstream_failed",
    `The connection to ${name} broke before it answered.`,
    {
      cause: error,
    },
  );
}
