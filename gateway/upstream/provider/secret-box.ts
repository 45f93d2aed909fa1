import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

import { z } from "zod";

/** A secret at rest: AES-256-GCM, bound to the name under which it was stored. All but `keyId` in base64. */
export interface SealedSecret {
  /** Which master key opens it. */
  readonly keyId: string;
  readonly nonce: string;
  readonly ciphertext: string;
  readonly tag: string;
}

export const sealedSecretSchema: z.ZodType<SealedSecret> = z.strictObject({
  keyId: z.string(),
  nonce: z.base64(),
  ciphertext: z.base64(),
  tag: z.base64(),
});

/** Seals and opens secrets with a master key that lies in a file of its own, readable for the owner alone. */
export interface SecretBox {
  /** The name is authenticated with it: a record moved to another name does not open. */
  seal(name: string, secret: string): SealedSecret;
  /** Undefined when the master key is gone or the record was changed. */
  open(name: string, sealed: SealedSecret): string | undefined;
  /**
   * Makes a new master key that seals from now on; the former ones still open until `forget`. Both are on disk when
   * it returns.
   */
  rotate(): string;
  /** Drops all master keys but the current one. */
  forget(): void;
}

interface MasterKeys {
  readonly current: string;
  /** By id, in base64. */
  readonly keys: Readonly<Record<string, string>>;
}

const masterKeysSchema: z.ZodType<MasterKeys> = z.strictObject({
  current: z.string(),
  keys: z.record(z.string(), z.base64()),
});

const cipherName = "aes-256-gcm";
const keyBytes = 32;
/** The nonce that GCM is defined for; random ones stay unique far beyond the number of secrets here (NIST SP 800-38D, 8.3). */
const nonceBytes = 12;
const ownerOnly = 0o600;

/** @throws `Error` when the file is there and is no list of master keys */
export function openSecretBox(file: string): SecretBox {
  let master = loadKeys(file);
  const keyOf = (id: string): Buffer | undefined => {
    const encoded = master?.keys[id];
    const key = encoded === undefined ? undefined : Buffer.from(encoded, "base64");
    return key?.length === keyBytes ? key : undefined;
  };
  const addKey = (): MasterKeys => {
    const id = `k${randomBytes(4).toString("hex")}`;
    const next = {
      current: id,
      keys: { ...master?.keys, [id]: randomBytes(keyBytes).toString("base64") },
    };
    saveKeys(file, next);
    master = next;
    return next;
  };
  return {
    seal(name, secret) {
      const { current } = master ?? addKey();
      const key = keyOf(current);
      if (key === undefined) throw new Error(`${file} names a current key that it does not have`);
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(cipherName, key, nonce);
      cipher.setAAD(Buffer.from(name));
      const ciphertext = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
      return {
        keyId: current,
        nonce: nonce.toString("base64"),
        ciphertext: ciphertext.toString("base64"),
        tag: cipher.getAuthTag().toString("base64"),
      };
    },
    open(name, sealed) {
      const key = keyOf(sealed.keyId);
      if (key === undefined) return undefined;
      try {
        const nonce = Buffer.from(sealed.nonce, "base64");
        const decipher = createDecipheriv(cipherName, key, nonce, { authTagLength: 16 });
        decipher.setAAD(Buffer.from(name));
        decipher.setAuthTag(Buffer.from(sealed.tag, "base64"));
        const clear = decipher.update(Buffer.from(sealed.ciphertext, "base64"));
        return Buffer.concat([clear, decipher.final()]).toString("utf8");
      } catch {
        return undefined;
      }
    },
    rotate: () => addKey().current,
    forget() {
      if (master === undefined) return;
      const { current } = master;
      const key = master.keys[current];
      master = { current, keys: key === undefined ? {} : { [current]: key } };
      saveKeys(file, master);
    },
  };
}

function loadKeys(file: string): MasterKeys | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  // A copy from a backup may be readable for others.
  chmodSync(file, ownerOnly);
  try {
    return masterKeysSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`${file} is no list of master keys; put a backup in its place`, { cause });
  }
}

/** Whole or not at all, and on disk before a secret depends on it. */
function saveKeys(file: string, keys: MasterKeys): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.new`;
  const descriptor = openSync(temporary, "w", ownerOnly);
  try {
    writeSync(descriptor, `${JSON.stringify(keys, undefined, 2)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, file);
  const directory = openSync(dirname(file), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
