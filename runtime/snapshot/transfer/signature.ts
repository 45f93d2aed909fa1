import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { chmod, link, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { SnapshotError } from "../../errors.ts";

/** A key whose snapshots this platform accepts. */
export interface TrustedKey {
  /** `sha256:` and 64 hex digits over the public key (SubjectPublicKeyInfo, DER). */
  readonly id: string;
  readonly name: string;
  /** PEM. */
  readonly publicKey: string;
  /** The platform's own key is always trusted and cannot be removed. */
  readonly isOwn: boolean;
}

/** Ed25519 (RFC 8032) over the bytes that {@link SnapshotKeys.sign} was given. */
export interface SnapshotSignature {
  readonly keyId: string;
  /** Base64. */
  readonly signature: string;
}

const ownKeyFile = "signing-key.pem";
const trustedDirectory = "trusted";
/** Names of trusted keys are file names too. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** A public key's PEM has some 110 characters. */
const pemLengthMax = 4096;

/**
 * The keys of a platform: its own, made on first use and readable by its owner only, with which it signs what it
 * pushes; and the public keys of others whose snapshots it accepts.
 */
export class SnapshotKeys {
  readonly #path: string;
  readonly #privateKey: KeyObject;

  private constructor(path: string, privateKey: KeyObject) {
    this.#path = path;
    this.#privateKey = privateKey;
  }

  /** @param path a directory of its own in the platform's data directory; made with mode 0700. */
  static async open(path: string): Promise<SnapshotKeys> {
    await mkdir(join(path, trustedDirectory), { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
    return new SnapshotKeys(path, await openPrivateKey(join(path, ownKeyFile)));
  }

  /** The platform's own public key, to be given to other platforms. */
  get own(): TrustedKey {
    return { ...describe(createPublicKey(this.#privateKey)), name: "this platform", isOwn: true };
  }

  sign(bytes: Uint8Array): SnapshotSignature {
    const signature = sign(null, bytes, this.#privateKey).toString("base64");
    return { keyId: this.own.id, signature };
  }

  /**
   * Who signed these bytes.
   * @throws SnapshotError `snapshot_refused` for a key that is not trusted and for a signature that does not fit.
   */
  async verify(bytes: Uint8Array, { keyId, signature }: SnapshotSignature): Promise<TrustedKey> {
    const key = (await this.list()).find((candidate) => candidate.id === keyId);
    if (key === undefined) {
      throw new SnapshotError(
        "snapshot_refused",
        `it is signed by the key ${printable(keyId)}, which this platform does not trust`,
        { hint: "ask its owner for the public key and run `byom snapshot trust NAME FILE`" },
      );
    }
    if (!verify(null, bytes, key.publicKey, Buffer.from(signature, "base64"))) {
      throw new SnapshotError("snapshot_refused", `its signature by ${key.name} does not fit`, {
        hint: "it was changed after it was signed: remove it from the registry and push it again",
      });
    }
    return key;
  }

  /** The own key first, then the trusted ones by name. */
  async list(): Promise<readonly TrustedKey[]> {
    const names = (await readdir(join(this.#path, trustedDirectory))).toSorted();
    const trusted = await Promise.all(
      names
        .filter((name) => name.endsWith(".pem"))
        .map(async (name) => {
          const pem = await readFile(join(this.#path, trustedDirectory, name), "utf8");
          return { ...describe(parsePublicKey(pem)), name: name.slice(0, -4), isOwn: false };
        }),
    );
    return [this.own, ...trusted];
  }

  /** Accepts snapshots signed by this key from now on. @throws SnapshotError for a wrong name or key. */
  async trust(name: string, pem: string): Promise<TrustedKey> {
    const facts = describe(parsePublicKey(pem));
    await writeFile(this.#fileOf(name), facts.publicKey, { mode: 0o600 });
    return { ...facts, name, isOwn: false };
  }

  /** False when there was no such key. Snapshots that were accepted before stay. */
  async distrust(name: string): Promise<boolean> {
    const file = this.#fileOf(name);
    const isKnown = (await this.list()).some((key) => !key.isOwn && key.name === name);
    await rm(file, { force: true });
    return isKnown;
  }

  #fileOf(name: string): string {
    if (namePattern.test(name)) return join(this.#path, trustedDirectory, `${name}.pem`);
    throw new SnapshotError("snapshot_key_invalid", `${printable(name)} is no name for a key`, {
      hint: "use letters, digits, dots, hyphens and underscores, at most 64",
    });
  }
}

/** Two processes that start at once agree on one key: the link of the second fails. */
async function openPrivateKey(path: string): Promise<KeyObject> {
  const known = await readFile(path, "utf8").catch(() => undefined);
  if (known === undefined) {
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    const unfinished = `${path}.${process.pid}.new`;
    await writeFile(unfinished, pem, { mode: 0o600, flush: true });
    await link(unfinished, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    await rm(unfinished);
  }
  return createPrivateKey(known ?? (await readFile(path, "utf8")));
}

function describe(key: KeyObject): { readonly id: string; readonly publicKey: string } {
  const der = key.export({ type: "spki", format: "der" });
  return {
    id: `sha256:${createHash("sha256").update(der).digest("hex")}`,
    publicKey: key.export({ type: "spki", format: "pem" }).toString(),
  };
}

function parsePublicKey(pem: string): KeyObject {
  try {
    if (pem.length > pemLengthMax || !pem.includes("BEGIN PUBLIC KEY"))
      throw new TypeError("no PEM");
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType !== "ed25519") throw new TypeError("not Ed25519");
    return key;
  } catch (error) {
    throw new SnapshotError("snapshot_key_invalid", "this is no public Ed25519 key in PEM", {
      cause: error,
      hint: "`byom snapshot trust` on the other platform prints its public key",
    });
  }
}

/** What came from outside, without control characters and short. */
function printable(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
