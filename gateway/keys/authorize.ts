import type { IncomingHttpHeaders } from "node:http";

import { GatewayError } from "../errors.ts";
import type { KeyIdentity, Keys } from "./keys.ts";

/**
 * The key of a call: `Authorization: Bearer KEY` (or `Token KEY`, as Replicate's older clients send it), or `x-api-key`.
 * @throws `GatewayError`: `unauthenticated`, or `forbidden` when the key may not call models
 */
export function authorize(headers: IncomingHttpHeaders, keys: Keys): KeyIdentity {
  const secret = presentedSecret(headers);
  if (secret === undefined) {
    throw new GatewayError("unauthenticated", "This call needs an API key.", {
      hint: "Send it as `Authorization: Bearer KEY`.",
    });
  }
  const key = keys.verify(secret);
  if (key === undefined) throw new GatewayError("unauthenticated", "This API key is not known.");
  if (!key.scopes.some((scope) => scope === "call" || scope === "admin")) {
    throw new GatewayError("forbidden", `The API key ${key.name} may not call models.`, {
      hint: "Make a key with the scope `call`.",
    });
  }
  return key;
}

function presentedSecret(headers: IncomingHttpHeaders): string | undefined {
  const match = /^(?:bearer|token)\s+(\S+)\s*$/i.exec(headers.authorization ?? "");
  if (match?.[1] !== undefined) return match[1];
  const apiKey = headers["x-api-key"];
  return typeof apiKey === "string" && apiKey !== "" ? apiKey : undefined;
}
