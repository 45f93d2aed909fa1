import type { IncomingHttpHeaders } from "node:http";

import { GatewayError } from "../errors.ts";
import type { KeyIdentity, Keys, Scope } from "./keys.ts";

/**
 * The key of a call: `Authorization: Bearer KEY` (or `Token KEY`, as Replicate's older clients send it), `x-api-key`, or
 * `cf-aig-authorization`, which comes first: beside it `Authorization` is the key of the third party.
 * @throws `GatewayError`: `unauthenticated`, or `forbidden` when the key may not call models
 */
export function authorize(
  headers: IncomingHttpHeaders,
  keys: Keys,
  /** Of which the key must have one; `admin` may do everything. */
  scopes: readonly Scope[] = ["call"],
): KeyIdentity {
  const secret = presentedSecret(headers);
  if (secret === undefined) {
    throw new GatewayError("unauthenticated", "This call needs an API key.", {
      hint: "Send it as `Authorization: Bearer KEY`.",
    });
  }
  const key = keys.verify(secret);
  if (key === undefined) throw refused(keys.expiredAt?.(secret));
  if (!key.scopes.some((scope) => scope === "admin" || scopes.includes(scope))) {
    const isCall = scopes.includes("call");
    const text = isCall ? "may not call models" : `lacks the scope ${scopes.join(" or ")}`;
    throw new GatewayError("forbidden", `The API key ${key.name} ${text}.`, {
      hint: `Make a key with the scope \`${isCall ? "call" : scopes.join("` or `")}\`.`,
    });
  }
  return key;
}

/** @throws `GatewayError` `forbidden` when the key is for other models only. */
export function assertMayCall(key: KeyIdentity | undefined, modelId: string): void {
  if (mayCall(key, modelId)) return;
  throw new GatewayError("forbidden", `The API key ${key?.name} may not call ${modelId}.`, {
    parameter: "model",
    hint: `It is for ${key?.models?.join(", ")}.`,
  });
}

/** Whether the key's allow-list has the model; a key without a list may call all. */
export function mayCall(key: KeyIdentity | undefined, modelId: string): boolean {
  if (key?.models === undefined) return true;
  return key.models.some((pattern) =>
    pattern.endsWith("*") ? modelId.startsWith(pattern.slice(0, -1)) : modelId === pattern,
  );
}

function refused(expiredAt: string | undefined): GatewayError {
  if (expiredAt === undefined) {
    return new GatewayError("unauthenticated", "This API key is not known.");
  }
  return new GatewayError("unauthenticated", `This API key expired at ${expiredAt}.`, {
    hint: "Make a new one with `byom keys create`, or take the one that replaced it.",
  });
}

const authorizationPattern = /^(?:bearer|token)\s+(\S+)\s*$/i;

function presentedSecret(headers: IncomingHttpHeaders): string | undefined {
  const gatewayHeader = headers["cf-aig-authorization"];
  const authorization = typeof gatewayHeader === "string" ? gatewayHeader : headers.authorization;
  const match = authorizationPattern.exec(authorization ?? "");
  if (match?.[1] !== undefined) return match[1];
  const apiKey = headers["x-api-key"];
  return typeof apiKey === "string" && apiKey !== "" ? apiKey : undefined;
}
