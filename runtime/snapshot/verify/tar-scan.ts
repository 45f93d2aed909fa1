import type { Readable } from "node:stream";

import { quoted, refuse } from "./refusal.ts";

/** An entry of an archive, as GNU tar will understand it. */
export interface TarEntry {
  readonly path: string;
  readonly type: "file" | "hard link" | "symbolic link" | "character device" | "directory" | "fifo";
  /** Target of a link. */
  readonly target: string;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly device: readonly [major: number, minor: number];
  /** Names of extended attributes. */
  readonly attributes: readonly string[];
}

export interface TarLimits {
  /** Names the archive in a refusal. */
  readonly what: string;
  readonly entriesMax: number;
  /** Of all files together. */
  readonly bytesMax: number;
}

const blockBytes = 512;
/** tar fills up its last record; one read of a stream may bring as much. */
const trailingBytesMax = 8 << 20;
/** Extended headers hold paths and attributes. */
const extensionBytesMax = 1 << 20;
const types: Readonly<Record<string, TarEntry["type"]>> = {
  "0": "file",
  "\0": "file",
  S: "file",
  "1": "hard link",
  "2": "symbolic link",
  "3": "character device",
  "5": "directory",
  "6": "fifo",
};
/** Records of a pax header (POSIX.1-2017, pax). GNU's own, such as `GNU.sparse.name`, would rename an entry. */
const plainRecords = [
  "path",
  "linkpath",
  "size",
  "mtime",
  "atime",
  "ctime",
  "uid",
  "gid",
  "uname",
  "gname",
];
const attributePrefix = "SCHILY.xattr.";

/**
 * Reads an archive header by header and hands over every entry. It knows the formats that GNU tar writes here (POSIX,
 * and GNU with long names and sparse files) and refuses every other header, so that no other reader sees another entry.
 * @throws SnapshotError for everything that is not plainly such an archive, or beyond the limits.
 */
export async function scanTar(
  stream: Readable,
  limits: TarLimits,
  onEntry: (entry: TarEntry) => void,
): Promise<void> {
  const reader = new BlockReader(stream, limits.what);
  let extension: Extension = {};
  let entries = 0;
  let bytes = 0;
  for (;;) {
    const header = await reader.take(blockBytes);
    if (header.every((byte) => byte === 0)) break;
    const type = checkHeader(header, limits.what);
    const stored = extension.size ?? numberAt(header, 124, 12, limits.what);
    if (type === "x" || type === "L" || type === "K") {
      if (stored > extensionBytesMax) refuse(`${limits.what} has a header of ${stored} bytes`);
      const content = await reader.take(stored);
      await reader.skip(padding(stored));
      extension = { ...extension, ...readExtension(type, content, limits.what) };
      continue;
    }
    const entry = readEntry(header, extension, { type, what: limits.what });
    extension = {};
    entries += 1;
    bytes += entry.sizeBytes;
    if (entries > limits.entriesMax)
      refuse(`${limits.what} has more than ${limits.entriesMax} entries`);
    if (bytes > limits.bytesMax)
      refuse(`${limits.what} unpacks to more than ${limits.bytesMax} bytes`);
    onEntry(entry);
    if (type === "S") await reader.skipSparseMap(header);
    const hasContent = type === "0" || type === "\0" || type === "S";
    if (!hasContent && stored !== 0) refuse(`${limits.what} has content where none belongs`);
    await reader.skip(stored + padding(stored));
  }
  await reader.expectZeros();
}

interface Extension {
  readonly path?: string;
  readonly linkPath?: string;
  readonly size?: number;
  readonly attributes?: readonly string[];
}

function checkHeader(header: Buffer, what: string): string {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (numberAt(header, 148, 8, what) !== sum) refuse(`${what} has a broken header`);
  const magic = header.toString("latin1", 257, 265);
  if (magic !== "ustar\x0000" && magic !== "ustar  \0") refuse(`${what} is no tar archive`);
  const type = header.toString("latin1", 156, 157);
  if (!(type in types) && !"xLK".includes(type)) {
    refuse(`${what} has an entry of the type ${quoted(type)}`);
  }
  return type;
}

function readEntry(
  header: Buffer,
  extension: Extension,
  { type, what }: { readonly type: string; readonly what: string },
): TarEntry {
  const isPosix = header.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isPosix ? textAt(header, 345, 155) : "";
  const name = textAt(header, 0, 100);
  return {
    path: extension.path ?? (prefix === "" ? name : `${prefix}/${name}`),
    type: types[type] ?? "file",
    target: extension.linkPath ?? textAt(header, 157, 100),
    mode: numberAt(header, 100, 8, what),
    // A sparse file stores less than it unpacks to.
    sizeBytes:
      type === "S"
        ? numberAt(header, 483, 12, what)
        : (extension.size ?? numberAt(header, 124, 12, what)),
    device:
      type === "3" ? [numberAt(header, 329, 8, what), numberAt(header, 337, 8, what)] : [0, 0],
    attributes: extension.attributes ?? [],
  };
}

function readExtension(type: string, content: Buffer, what: string): Extension {
  if (type !== "x") {
    const text = textAt(content, 0, content.length);
    return type === "L" ? { path: text } : { linkPath: text };
  }
  const values = new Map<string, string>();
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(0x20, at);
    const length = Number(content.toString("latin1", at, space));
    const record = content.subarray(space + 1, at + length - 1);
    const equals = record.indexOf(0x3d);
    const isWhole = space > at && length > 0 && at + length <= content.length && equals > 0;
    if (!isWhole || content[at + length - 1] !== 0x0a)
      refuse(`${what} has a broken extended header`);
    const key = record.toString("latin1", 0, equals);
    const isKnown = plainRecords.includes(key) || key.startsWith(attributePrefix);
    if (!isKnown || values.has(key)) refuse(`${what} has the extended header ${quoted(key)}`);
    values.set(key, record.toString("latin1", equals + 1));
    at += length;
  }
  const [path, linkPath, size] = [values.get("path"), values.get("linkpath"), values.get("size")];
  for (const text of [path, linkPath]) {
    if (text?.includes("\0")) refuse(`${what} has a path with a NUL`);
  }
  if (size !== undefined && !/^\d{1,15}$/.test(size))
    refuse(`${what} has the size ${quoted(size)}`);
  return {
    ...(path === undefined ? {} : { path }),
    ...(linkPath === undefined ? {} : { linkPath }),
    ...(size === undefined ? {} : { size: Number(size) }),
    attributes: [...values.keys()]
      .filter((key) => key.startsWith(attributePrefix))
      .map((key) => key.slice(attributePrefix.length)),
  };
}

function textAt(bytes: Buffer, at: number, length: number): string {
  const text = bytes.toString("latin1", at, at + length);
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** Octal digits, or GNU's binary form for what does not fit. */
function numberAt(bytes: Buffer, at: number, length: number, what: string): number {
  const field = bytes.subarray(at, at + length);
  if (field[0] === 0x80) {
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
    return Number.isSafeInteger(value) ? value : refuse(`${what} has a number that is too large`);
  }
  const text = field.toString("latin1").replaceAll("\0", " ").trim();
  if (text === "") return 0;
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : refuse(`${what} has a broken number`);
}

function padding(sizeBytes: number): number {
  return (blockBytes - (sizeBytes % blockBytes)) % blockBytes;
}

/** Reads a stream in pieces of wanted lengths. */
class BlockReader {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #what: string;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: Readable, what: string) {
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#what = what;
  }

  async take(length: number): Promise<Buffer> {
    while (this.#rest.length < length) {
      if (!(await this.#more())) refuse(`${this.#what} is cut off`);
    }
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  async skip(length: number): Promise<void> {
    let left = length;
    while (left > this.#rest.length) {
      left -= this.#rest.length;
      this.#rest = Buffer.alloc(0);
      if (!(await this.#more())) refuse(`${this.#what} is cut off`);
    }
    this.#rest = this.#rest.subarray(left);
  }

  /** GNU's old sparse format goes on in blocks of its own while a flag says so. */
  async skipSparseMap(header: Buffer): Promise<void> {
    let isExtended = header[482] !== 0;
    while (isExtended) isExtended = (await this.take(blockBytes))[504] !== 0;
  }

  /** Nothing may hide behind the end. */
  async expectZeros(): Promise<void> {
    let seen = 0;
    do {
      seen += this.#rest.length;
      const isEnd = seen <= trailingBytesMax && this.#rest.every((byte) => byte === 0);
      if (!isEnd) refuse(`${this.#what} goes on behind its end`);
      this.#rest = Buffer.alloc(0);
    } while (await this.#more());
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done) return false;
    this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
    return true;
  }
}
