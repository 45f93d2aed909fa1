import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";

import type { ContainerBounds } from "./container.ts";
import { quoted, refuse } from "./refusal.ts";
import { scanTar, type TarEntry } from "./tar-scan.ts";

/** Files that a container wrote before its snapshot, caches mostly. */
const entriesMax = 1_000_000;
/** What a file system in memory may unpack to: shared memory of byom's containers has 2 GiB. */
const memoryBytesMax = 4 * 2 ** 30;
/** `S_ISUID`, `S_ISGID` (inode(7)). */
const setUser = 0o4000;
const setGroup = 0o2000;

/** Major and minor numbers of the devices that every container has (OCI runtime-spec, "Default Devices"). */
const devices: readonly string[] = ["1,3", "1,5", "1,7", "1,8", "1,9", "5,0", "5,1", "5,2"];
/** Attributes that say nothing about privileges. */
const attributes = /^(?:user\.|system\.posix_acl_(?:access|default)$)/;
/** Mounted by the engine: a link there would lead a mount astray. */
const mountPoints = ["/proc", "/sys", "/dev", "/etc/resolv.conf", "/etc/hostname", "/etc/hosts"];

/**
 * The archive of changed files, which root unpacks into the new container's root on the host. Each entry must stand in a
 * directory that the archive itself has before it: tar then replaces a symbolic link of the image by that directory, so
 * nothing can be led out of the root. Sockets, devices and files that change their user are refused.
 */
export async function verifyChangedFiles(
  directory: string,
  bounds: ContainerBounds,
  options: {
    readonly bytesMax: number;
    /** Paths that the container had deleted, see {@link verifyRemoved}. */
    readonly removed: readonly string[];
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const stream = await openStream(join(directory, "files.tar"), options.signal);
  const places = [...mountPoints, ...bounds.mounts];
  const tree = new Tree("files.tar");
  const limits = { what: "files.tar", entriesMax, bytesMax: options.bytesMax };
  await scanTar(stream, limits, (entry) => {
    const path = tree.add(entry);
    const isOnTheWay = places.some((place) => `${place}/`.startsWith(`/${path}/`));
    if (isOnTheWay && entry.type !== "directory" && entry.type !== "file") {
      refuse(`files.tar puts a ${entry.type} where ${quoted(`/${path}`)} is mounted`);
    }
    if (entry.type === "character device") refuse(`files.tar makes the device ${quoted(path)}`);
  });
  // They are removed once more when a restore is undone, with the links of the archive in their place.
  for (const path of options.removed) {
    const link = tree.findLinkAbove(path);
    if (link !== undefined) refuse(`removed goes through ${quoted(link)}, a link of files.tar`);
  }
}

/** The list of deleted paths, which the wrapper gives to `rm`. @returns them, relative and without `./`. */
export async function verifyRemoved(directory: string): Promise<readonly string[]> {
  await using file = await open(
    join(directory, "removed"),
    constants.O_RDONLY | constants.O_NOFOLLOW,
  );
  const { size } = await file.stat();
  if (size > removedBytesMax) refuse(`removed has ${size} bytes, more than ${removedBytesMax}`);
  const text = (await file.readFile()).toString("latin1");
  if (!text.endsWith("\0")) refuse("removed is cut off");
  return text
    .slice(0, -1)
    .split("\0")
    .map((path) => relativePath(path, "removed") || refuse("removed names the root"));
}

const removedBytesMax = 64 * 2 ** 20;

/** Content of a file system in memory, such as /dev and /dev/shm, which CRIU unpacks with tar, as root. */
export async function verifyMemoryFiles(
  images: string,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const what = `images/${name}`;
  const stream = await openStream(join(images, name), signal);
  const unpacked = stream.pipe(createGunzip());
  stream.once("error", (error) => unpacked.destroy(error));
  const tree = new Tree(what);
  try {
    await scanTar(unpacked, { what, entriesMax, bytesMax: memoryBytesMax }, (entry) => {
      const path = tree.add(entry);
      if (entry.type === "character device" && !devices.includes(entry.device.join(","))) {
        refuse(`${what} makes the device ${quoted(path)} (${entry.device.join(", ")})`);
      }
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith("Z_"))
      refuse(`${what} is broken or cut off`);
    throw error;
  } finally {
    stream.destroy();
  }
}

/** What an archive has made so far. */
class Tree {
  readonly #what: string;
  readonly #types = new Map<string, TarEntry["type"]>([["", "directory"]]);

  constructor(what: string) {
    this.#what = what;
  }

  /** What stands in the way of a path and is no directory. */
  findLinkAbove(path: string): string | undefined {
    for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
      const type = this.#types.get(path.slice(0, at));
      if (type !== undefined && type !== "directory") return path.slice(0, at);
    }
    return undefined;
  }

  /** @returns the path without `./`. */
  add(entry: TarEntry): string {
    const path = relativePath(entry.path, this.#what);
    const place = quoted(path);
    if (path !== "" && this.#types.has(path)) refuse(`${this.#what} has ${place} twice`);
    const parent = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
    if (this.#types.get(parent) !== "directory") {
      refuse(`${this.#what} puts ${place} below something that is no directory of its own`);
    }
    if (path === "" && entry.type !== "directory") refuse(`${this.#what} replaces the root`);
    if (entry.type === "hard link") {
      const target = relativePath(entry.target, this.#what);
      if (this.#types.get(target) !== "file") {
        refuse(`${this.#what} has a hard link to ${quoted(entry.target)}, which it does not have`);
      }
    }
    const changesGroup = entry.type !== "directory" && (entry.mode & setGroup) !== 0;
    if ((entry.mode & setUser) !== 0 || changesGroup) {
      refuse(`${this.#what} has ${place}, which changes the user that runs it`);
    }
    const attribute = entry.attributes.find((name) => !attributes.test(name));
    if (attribute !== undefined)
      refuse(`${this.#what} gives ${place} the attribute ${quoted(attribute)}`);
    this.#types.set(path, entry.type);
    return path;
  }
}

function relativePath(path: string, what: string): string {
  const bare = path.replace(/^\.\/|^\.$/, "").replace(/\/$/, "");
  const parts = bare === "" ? [] : bare.split("/");
  if (path === "" || path.startsWith("/") || parts.some((part) => ["", ".", ".."].includes(part))) {
    refuse(`${what} names ${quoted(path)}, which may lie outside of the container`);
  }
  return bare;
}

async function openStream(path: string, signal: AbortSignal): Promise<Readable> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  return file.createReadStream({ highWaterMark: readBytes, signal });
}

const readBytes = 1 << 20;
