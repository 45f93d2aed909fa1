import { createHash, createHmac } from "node:crypto";

import { loadSecret } from "../stream/token.ts";

/** Signs what is sent to webhooks as Standard Webhooks has it (https://www.standardwebhooks.com, version 1.0.0). */
export interface WebhookSecret {
  /** `whsec_` and the key in base64: what a receiver checks signatures with. */
  readonly key: string;
  /** The three headers of one delivery; `timestampMs`: since the epoch. */
  sign(options: {
    readonly id: string;
    readonly timestampMs: number;
    readonly body: string;
  }): Readonly<Record<string, string>>;
}

/** The key is kept in `path`, made on first use, so that receivers go on to trust a platform that was restarted. */
export function openWebhookSecret(path: string): WebhookSecret {
  const secret = loadSecret(path);
  return {
    key: `whsec_${secret.toString("base64")}`,
    sign({ id, timestampMs, body }) {
      const timestamp = String(Math.floor(timestampMs / 1000));
      const signature = createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`);
      return {
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": `v1,${signature.digest("base64")}`,
      };
    },
  };
}

/** Hex digits of a message's id: no two messages of a platform's life share one. */
const idDigits = 32;

/**
 * The id of a message: the same for every delivery of it, before and after a restart, so that a receiver can drop
 * what it has. A hash, for a prediction's own id may hold the full stop that separates what is signed.
 */
export function messageId(predictionId: string, message: string): string {
  const hash = createHash("sha256").update(`${predictionId}\n${message}`).digest("hex");
  return `msg_${hash.slice(0, idDigits)}`;
}
