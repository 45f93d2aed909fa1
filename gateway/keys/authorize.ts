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

function presentedSecret(headers: IncomingHttpHeaders): string | undefined {
  const match = /^(?:bearer|token)\s+(\S+)\s*$/i.exec(headers.authorization ?? "");
  if (match?.[1] !== undefined) return match[1];
  const apiKey = headers["x-api-key"];
  return typeof apiKey === "string" && apiKey !== "" ? apiKey : undefined;
}
