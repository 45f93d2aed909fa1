import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, writeFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";

import { GatewayError } from "../errors.ts";
import {
  fileRetentionMs,
  fileStoreBytesMax,
  fileUrlLifetimeMs,
  outputFileCharactersMin,
} from "../limits.ts";
import { openStreamTokens } from "../stream/token.ts";
import { parseDataUri, toDataUri } from "../upstream/provider/data-uri.ts";
import { loadFileIndex } from "./file-index.ts";
import { mapStrings, replaceStrings } from "./map-strings.ts";

/** A file on disk: an input of predictions to come, or what a prediction made. */
export interface StoredFile {
  readonly id: string;
  readonly name: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  /** Hex. */
  readonly sha256: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** ISO 8601; then it is removed, or earlier when the store is full. */
  readonly expiresAt: string;
  readonly purpose: "upload" | "output";
  /** What the uploader says about it. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Who uploaded it. */
  readonly keyId?: string;
}

export interface SaveOptions {
  readonly name: string;
  readonly contentType: string;
  readonly bytes: Buffer;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly keyId?: string;
}

/** A file that anybody with its URL can read. */
export interface PublishedFile {
  readonly id: string;
  /** `BASE/v1/files/ID/content?expires=SECONDS&signature=…`: works without a key until it expires. */
  readonly url: string;
}

/** Files sent to `/v1/files` and files that predictions made, on disk, found again after a restart. */
export interface FileStore {
  save(options: SaveOptions): Promise<StoredFile>;
  get(id: string): StoredFile | undefined;
  /** Uploaded ones, newest first. */
  list(): readonly StoredFile[];
  read(id: string): Promise<Buffer>;
  open(id: string): Readable;
  remove(id: string): Promise<void>;
  /**
   * Keeps the content of a data URI and gives it a signed URL, for answers of the kind "url instead of base64".
   * `baseUrl` is the call's.
   * @throws `GatewayError` `upstream_failed` for anything but a data URI
   */
  publish(dataUri: string, options: { readonly baseUrl: string }): Promise<PublishedFile>;
  /** A signed URL of a file. */
  url(id: string, baseUrl: string): string;
  /** Whether a signed URL's signature fits and its time has not passed. */
  verify(id: string, query: URLSearchParams): boolean;
  /** The input with every URL of a stored file replaced by its content as a data URI, which any instance can read. */
  inline(input: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
  /** The output with every large data URI kept as a file; the same prediction's same content is one file. */
  detach(output: unknown, predictionId: string): unknown;
  /** A detached output with a signed URL for each file. */
  attach(output: unknown, baseUrl: string): unknown;
  /** Removes what has expired. */
  prune(): Promise<void>;
}

const fileUrl =
  /^https?:\/\/[^/]+\/v1\/files\/([A-Za-z0-9_-]+)(?:\/(?:content|download))?(?:\?.*)?$/;
/** A URL is never longer; data URIs are not searched. */
const urlCharactersMax = 2048;
/** What stands in a record for a file. */
const reference = /^byom-file:([A-Za-z0-9_-]{1,64})$/;
const referenceStart = "byom-file:";
/** Characters of a hash in an id: nobody finds another content with the same. */
const hashCharacters = 40;

interface FileStoreOptions {
  readonly directory: string;
  /** File of the secret that signs URLs. */
  readonly secretPath: string;
  readonly idSource: () => string;
  readonly clock: () => number;
  /** All files together; default: the named limit. */
  readonly bytesMax?: number;
}

export function openFileStore(options: FileStoreOptions): FileStore {
  mkdirSync(options.directory, { recursive: true });
  const folder = new FileFolder(options);
  const signer = openStreamTokens(options.secretPath);
  const url = (id: string, baseUrl: string): string => {
    const expires = String(Math.ceil((options.clock() + fileUrlLifetimeMs) / 1000));
    const signature = signer.sign(`${id} ${expires}`);
    return `${baseUrl}/v1/files/${id}/content?expires=${expires}&signature=${signature}`;
  };
  const keep = (dataUri: string, id: string): string | undefined => {
    const content = parseDataUri(dataUri);
    if (content === undefined) return undefined;
    if (folder.get(id) === undefined) {
      folder.write({ name: id, ...content, purpose: "output", id });
    }
    return id;
  };
  /** A full disk must not cost the answer: it stays in the record then. */
  const keepIfPossible = (dataUri: string, id: string): string | undefined => {
    try {
      return keep(dataUri, id);
    } catch {
      return undefined;
    }
  };
  return {
    save: (file) => folder.save(file),
    get: (id) => folder.get(id),
    list: () => folder.list().filter(({ purpose }) => purpose === "upload"),
    read: (id) => readFile(folder.path(id)),
    open: (id) => createReadStream(folder.path(id)),
    remove: (id) => folder.remove(id),
    async publish(dataUri, { baseUrl }) {
      const id = keep(dataUri, options.idSource());
      if (id === undefined) throw new GatewayError("upstream_failed", "The output is no file.");
      return { id, url: url(id, baseUrl) };
    },
    url,
    verify(id, query) {
      const expires = query.get("expires") ?? "";
      if (!/^\d{1,12}$/.test(expires) || Number(expires) * 1000 < options.clock()) return false;
      return signer.verify(`${id} ${expires}`, query.get("signature") ?? "");
    },
    async inline(input) {
      return (await replaceStrings(input, async (text) => {
        if (text.length > urlCharactersMax) return text;
        const file = folder.get(fileUrl.exec(text)?.[1] ?? "");
        if (file === undefined) return text;
        return toDataUri({ ...file, bytes: await readFile(folder.path(file.id)) });
      })) as Readonly<Record<string, unknown>>;
    },
    detach: (output, predictionId) =>
      mapStrings(output, (text) => {
        if (text.length < outputFileCharactersMin || !/^data:/i.test(text)) return text;
        const hash = signer.sign(
          `${predictionId} ${createHash("sha256").update(text).digest("hex")}`,
        );
        const id = keepIfPossible(text, hash.slice(0, hashCharacters));
        return id === undefined ? text : `${referenceStart}${id}`;
      }),
    attach: (output, baseUrl) =>
      mapStrings(output, (text) => {
        const id = text.startsWith(referenceStart) ? reference.exec(text)?.[1] : undefined;
        return id === undefined ? text : url(id, baseUrl);
      }),
    prune: () => folder.prune(),
  };
}

/** A content type ends in a header: whatever is not one becomes "some bytes". */
const typePattern = /^[\w!#$&^.+-]{1,64}\/[\w!#$&^.+-]{1,64}(; ?[\w-]+="?[\w.-]+"?)?$/;

/** The folder, with its bounds. */
class FileFolder {
  readonly #options: FileStoreOptions;
  readonly #bytesMax: number;
  /** Oldest first. */
  readonly #files: Map<string, StoredFile>;
  #sizeBytes = 0;

  constructor(options: FileStoreOptions) {
    this.#options = options;
    this.#bytesMax = options.bytesMax ?? fileStoreBytesMax;
    this.#files = loadFileIndex(options.directory, options.clock());
    for (const { sizeBytes } of this.#files.values()) this.#sizeBytes += sizeBytes;
  }

  path(id: string): string {
    return join(this.#options.directory, `${id}.content`);
  }

  get(id: string): StoredFile | undefined {
    const file = this.#files.get(id);
    return file !== undefined && this.#isOver(file) ? undefined : file;
  }

  list(): readonly StoredFile[] {
    return [...this.#files.values()].filter((file) => !this.#isOver(file)).toReversed();
  }

  async save(options: SaveOptions): Promise<StoredFile> {
    const file = this.#describe({ ...options, purpose: "upload", id: this.#options.idSource() });
    await this.#makeRoom(file.sizeBytes);
    await writeFile(this.path(file.id), options.bytes, { mode: 0o600 });
    // Last, so that a file in the index is a complete one.
    await writeFile(this.#indexPath(file.id), JSON.stringify(file), { mode: 0o600 });
    this.#add(file);
    return file;
  }

  /** At once: a record that refers to the file is written next, and must not outlive it after a crash. */
  write(options: SaveOptions & Pick<StoredFile, "id" | "purpose">): void {
    const file = this.#describe(options);
    // The room is made behind the caller's back: for a moment the store is over its bound by this one file.
    void this.#makeRoom(file.sizeBytes);
    writeFileSync(this.path(file.id), options.bytes, { mode: 0o600, flush: true });
    writeFileSync(this.#indexPath(file.id), JSON.stringify(file), { mode: 0o600, flush: true });
    this.#add(file);
  }

  async remove(id: string): Promise<void> {
    const file = this.#files.get(id);
    if (file === undefined) return;
    this.#files.delete(id);
    this.#sizeBytes -= file.sizeBytes;
    await rm(this.#indexPath(id), { force: true });
    await rm(this.path(id), { force: true });
  }

  async prune(): Promise<void> {
    for (const file of this.#files.values()) if (this.#isOver(file)) await this.remove(file.id);
  }

  /** The oldest go first. */
  async #makeRoom(sizeBytes: number): Promise<void> {
    const removals: Promise<void>[] = [];
    for (const { id } of this.#files.values()) {
      if (this.#sizeBytes + sizeBytes <= this.#bytesMax) break;
      removals.push(this.remove(id));
    }
    await Promise.all(removals);
  }

  #describe(options: SaveOptions & Pick<StoredFile, "id" | "purpose">): StoredFile {
    const { id, name, contentType, bytes, purpose, keyId, metadata = {} } = options;
    const now = this.#options.clock();
    return {
      id,
      name,
      contentType: typePattern.test(contentType) ? contentType : "application/octet-stream",
      sizeBytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + fileRetentionMs).toISOString(),
      purpose,
      metadata,
      ...(keyId === undefined ? {} : { keyId }),
    };
  }

  #add(file: StoredFile): void {
    this.#files.set(file.id, file);
    this.#sizeBytes += file.sizeBytes;
  }

  #isOver({ expiresAt }: StoredFile): boolean {
    return Date.parse(expiresAt) <= this.#options.clock();
  }

  #indexPath(id: string): string {
    return join(this.#options.directory, `${id}.json`);
  }
}
