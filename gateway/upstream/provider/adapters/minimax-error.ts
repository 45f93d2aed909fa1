import type { ProviderHttp } from "../adapter.ts";
import { numberAt, textAt } from "./answer.ts";

/**
 * Of MiniMax's own codes (platform.minimax.io/docs/api-reference/errorcode): rate limits, keys, the account's balance,
 * refused content, wrong parameters.
 */
const statusByCode: Readonly<Record<number, number>> = {
  1001: 504,
  1002: 429,
  1004: 401,
  1008: 402,
  1026: 422,
  1027: 422,
  1039: 429,
  1041: 429,
  1042: 422,
  2013: 400,
  2049: 401,
  2056: 429,
};

/** MiniMax answers 200 and says in `base_resp` what went wrong. @throws `GatewayError` */
export function checkBaseResponse(http: ProviderHttp, body: unknown): void {
  const code = numberAt(body, "base_resp.status_code") ?? 0;
  if (code === 0) return;
  const message = textAt(body, "base_resp.status_msg") ?? "no reason given";
  throw http.failure(statusByCode[code] ?? 500, { message: `${message} (${code})` });
}
