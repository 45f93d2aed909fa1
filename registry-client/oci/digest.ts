import { createHash } from "node:crypto";
import { RegistryError } from "../errors.ts";

/** `sha256:` and 64 hex digits of the bytes as stored (OCI image-spec 1.1, descriptor.md "Digests"). */
export type Digest = `sha256:${string}`;

const digestPattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

/** @throws RegistryError `invalid-digest` for anything but a lower-case SHA-256 digest. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new RegistryError({
    code: "invalid-digest",
    message: `expected a digest sha256:<64 hex digits>, found ${JSON.stringify(text.slice(0, 200))}`,
    hint: "copy the digest from the output of push or inspect",
  });
}

/** The digest of bytes held in memory. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
