import type { Dispatcher } from "undici";

import { isRefusedTarget } from "../http/url-guard.ts";

/** What came of one delivery. `gone`: the receiver will never take it, so it is not tried again. */
export type DeliveryResult =
  | { readonly kind: "delivered" }
  | { readonly kind: "gone"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string; readonly retryAfterMs?: number };

/** An answer's body says nothing; it is read this far so that the connection can be used again. */
const answerBytesMax = 16 * 1024;
/** 410: Standard Webhooks' word for "stop sending". */
const goneStatus = 410;

/** Posts one message. Never rejects; redirects are failures. */
export async function deliver(options: {
  readonly dispatcher: Dispatcher;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<DeliveryResult> {
  const { dispatcher, url, headers, body, timeoutMs } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const { origin, pathname, search } = new URL(url);
    const answer = await dispatcher.request({
      origin,
      path: `${pathname}${search}`,
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": "byom-webhooks", ...headers },
      body,
      signal,
    });
    await answer.body.dump({ limit: answerBytesMax, signal }).catch(() => undefined);
    const { statusCode } = answer;
    if (statusCode >= 200 && statusCode < 300) return { kind: "delivered" };
    const why = `the receiver answered ${statusCode}`;
    if (statusCode === goneStatus) return { kind: "gone", why };
    return { kind: "failed", why, ...retryAfter(answer.headers["retry-after"]) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { kind: isRefusedTarget(error) ? "gone" : "failed", why };
  }
}

function retryAfter(header: unknown): { readonly retryAfterMs?: number } {
  const isSeconds = typeof header === "string" && /^\d{1,6}$/.test(header);
  return isSeconds ? { retryAfterMs: Number(header) * 1000 } : {};
}
