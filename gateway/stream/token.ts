import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

/**
 * Signs the stream URL of a prediction: Replicate's client opens `urls.stream` without its key, so the URL itself is
 * the permission to read that one stream.
 */
export interface StreamTokens {
  sign(predictionId: string): string;
  verify(predictionId: string, token: string): boolean;
}

const secretBytes = 32;

/** Tokens under a secret kept in `path`, made on first use, so that URLs outlive a restart. */
export function openStreamTokens(path: string): StreamTokens {
  const secret = loadSecret(path);
  const sign = (predictionId: string): string =>
    createHmac("sha256", secret).update(predictionId).digest("base64url");
  return {
    sign,
    verify(predictionId, token) {
      const expected = Buffer.from(sign(predictionId));
      const presented = Buffer.from(token);
      return expected.length === presented.length && timingSafeEqual(expected, presented);
    },
  };
}

/** 32 random bytes kept in `path`, made on first use. */
export function loadSecret(path: string): Buffer {
  try {
    writeFileSync(path, randomBytes(secretBytes), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const secret = readFileSync(path);
  if (secret.length === secretBytes) return secret;
  // A crash between creating and writing left it short: nothing was signed with it.
  const fresh = randomBytes(secretBytes);
  writeFileSync(path, fresh, { mode: 0o600 });
  return fresh;
}
