import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

import { StoreError } from "../errors.ts";

/** Seals values with the platform's own key, which lies in a file beside the database that its owner alone reads. */
export interface SecretKey {
  /** AES-256-GCM; `name` is authenticated with it: a value moved to another name does not open. */
  seal(name: string, value: string): Buffer;
  /** @throws StoreError `secrets_unreadable` when the key is another one, or the value was changed. */
  open(name: string, sealed: Uint8Array): string;
  /** HMAC-SHA256 in hex: equal for equal texts on this platform, and no help to whoever lacks the key. */
  digest(text: string): string;
}

const cipherName = "aes-256-gcm";
const keyBytes = 32;
/** The nonce that GCM is defined for; random ones stay unique far beyond the number of secrets (NIST SP 800-38D, 8.3). */
const nonceBytes = 12;
const tagBytes = 16;
const ownerOnly = 0o600;

/** The key in this file; it is made with the first value that is sealed or digested. */
export function openSecretKey(file: string): SecretKey {
  let master: Buffer | undefined;
  const load = (): Buffer => (master ??= readKey(file) ?? makeKey(file));
  const derive = (use: string): Buffer =>
    Buffer.from(hkdfSync("sha256", load(), "", `byom secrets: ${use}`, keyBytes));
  return {
    seal(name, value) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(cipherName, derive("values"), nonce);
      cipher.setAAD(Buffer.from(name));
      const ciphertext = Buffer.concat([cipher.update(value, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]);
    },
    open(name, sealed) {
      const nonce = sealed.subarray(0, nonceBytes);
      try {
        const decipher = createDecipheriv(cipherName, derive("values"), nonce, {
          authTagLength: tagBytes,
        });
        decipher.setAAD(Buffer.from(name));
        decipher.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
        const clear = decipher.update(sealed.subarray(nonceBytes + tagBytes));
        return Buffer.concat([clear, decipher.final()]).toString("utf8");
      } catch (cause) {
        throw unreadable(`${file} does not open the secret ${name}`, cause);
      }
    },
    digest: (text) => createHmac("sha256", derive("digests")).update(text).digest("hex"),
  };
}

function readKey(file: string): Buffer | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  // A copy from a backup may be readable for others.
  chmodSync(file, ownerOnly);
  const key = Buffer.from(text.trim(), "base64");
  if (key.length === keyBytes) return key;
  throw unreadable(`${file} is no key of ${keyBytes} bytes`);
}

/** Whole or not at all, and on disk before a secret depends on it. */
function makeKey(file: string): Buffer {
  const key = randomBytes(keyBytes);
  const descriptor = openSync(`${file}.new`, "w", ownerOnly);
  try {
    writeSync(descriptor, `${key.toString("base64")}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(`${file}.new`, file);
  const directory = openSync(dirname(file), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
  return key;
}

function unreadable(message: string, cause?: unknown): StoreError {
  return new StoreError("secrets_unreadable", message, {
    hint: "put the file of a backup back in its place, or set the secrets again with `byom secrets set`",
    cause,
  });
}
