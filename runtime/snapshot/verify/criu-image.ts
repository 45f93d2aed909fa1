import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

import { Message } from "./protobuf.ts";
import { refuse } from "./refusal.ts";

/** CRIU: criu/include/magic.h. All images but the inventory begin with the common one, then their own. */
const commonMagic = 0x54564319;
const magics = {
  inventory: 0x58313116,
  pstree: 0x50273030,
  core: 0x55053847,
  ids: 0x54432030,
  files: 0x56303138,
  mountpoints: 0x55563928,
  cgroup: 0x59383330,
  seccomp: 0x64413049,
  pagemap: 0x56084025,
  "remap-fpath": 0x59133954,
  "ghost-file": 0x52583605,
  "tty-info": 0x59453036,
  "tcp-stream": 0x51465506,
} as const;

export type ImageKind = keyof typeof magics;

/** A description of processes is kilobytes; a pagemap of a terabyte in single pages would have some gigabytes. */
const imageBytesMax = 64 * 2 ** 20;
/** A single entry, such as files.img's, stays far below it. */
const entryBytesMax = 16 * 2 ** 20;

/** The image's entries: after the magic numbers come a length of 32 bits and that many bytes, again and again. */
export async function readImage(
  images: string,
  name: string,
  kind: ImageKind,
): Promise<readonly Message[]> {
  return parseImage(await readWhole(images, name), name, kind);
}

/** Only its first entry: what follows in a ghost file is the content. */
export async function readFirstEntry(
  images: string,
  name: string,
  kind: ImageKind,
): Promise<Message> {
  await using file = await open(join(images, name), constants.O_RDONLY | constants.O_NOFOLLOW);
  const bytes = Buffer.alloc(firstEntryBytesMax);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
  const head = bytes.subarray(0, bytesRead);
  const length = head.length < 12 ? 0 : head.readUInt32LE(8);
  if (length > firstEntryBytesMax - 12) refuse(`images/${name} has an entry that is too long`);
  const [entry] = parseImage(head.subarray(0, 12 + length), name, kind);
  return entry ?? refuse(`images/${name} is empty`);
}

const firstEntryBytesMax = 16 * 1024;

/** @see readImage. Pure. */
export function parseImage(bytes: Buffer, name: string, kind: ImageKind): readonly Message[] {
  const what = `images/${name}`;
  const headBytes = kind === "inventory" ? 4 : 8;
  if (bytes.length < headBytes) refuse(`${what} is cut off`);
  const isFramed = kind === "inventory" || bytes.readUInt32LE(0) === commonMagic;
  if (!isFramed || bytes.readUInt32LE(headBytes - 4) !== magics[kind]) {
    refuse(`${what} is no ${kind} image of CRIU`);
  }
  const entries: Message[] = [];
  let at = headBytes;
  while (at < bytes.length) {
    if (at + 4 > bytes.length) refuse(`${what} is cut off`);
    const length = bytes.readUInt32LE(at);
    at += 4;
    if (length > entryBytesMax || at + length > bytes.length) refuse(`${what} is cut off`);
    entries.push(new Message(bytes.subarray(at, at + length), what));
    at += length;
  }
  return entries;
}

/** @throws SnapshotError for an image larger than any real one. */
export async function readWhole(images: string, name: string): Promise<Buffer> {
  await using file = await open(join(images, name), constants.O_RDONLY | constants.O_NOFOLLOW);
  const { size } = await file.stat();
  if (size > imageBytesMax) refuse(`images/${name} has ${size} bytes, more than ${imageBytesMax}`);
  return await file.readFile();
}
