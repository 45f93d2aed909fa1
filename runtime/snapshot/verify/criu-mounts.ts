import type { ContainerBounds } from "./container.ts";
import { readImage } from "./criu-image.ts";
import type { Message } from "./protobuf.ts";
import { quoted, refuse } from "./refusal.ts";

/** CRIU: images/mnt.proto, fstype. */
const types = {
  external: 0,
  proc: 1,
  sysfs: 2,
  tmpfs: 5,
  devpts: 6,
  cgroup: 12,
  mqueue: 14,
  overlay: 17,
  cgroup2: 23,
} as const;
/** Fields of mnt_entry that CRIU 4 has; the others are checked one by one below. */
const knownFields = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];
/** `MS_RDONLY` (mount(2)). */
const readOnly = 1;

/** What the engine mounts in every container, by destination. */
const engineMounts: Readonly<Record<string, readonly number[]>> = {
  "/": [types.overlay],
  "/proc": [types.proc],
  "/dev": [types.tmpfs],
  "/dev/pts": [types.devpts],
  "/dev/shm": [types.tmpfs],
  "/dev/mqueue": [types.mqueue],
  "/sys": [types.sysfs],
  "/sys/fs/cgroup": [types.tmpfs, types.cgroup2, types.external],
};
/** Files that the engine binds into every container; CRIU takes them from the new one by their key. */
const engineFiles = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"];
/** Sources of what hides or protects a path: an empty tmpfs, /dev/null, or the same path read-only. */
const maskTypes: readonly number[] = [types.tmpfs, types.proc, types.sysfs, types.external];

interface Mount {
  readonly type: number;
  readonly flags: number;
  readonly root: string;
  readonly destination: string;
  readonly key: string;
}

/**
 * That the images mount what the engine mounts in a new container, and nothing else: CRIU would mount any file system
 * of any device that they name, as root. Whatever lies outside the container comes from the new one, by its destination.
 */
export async function verifyMounts(
  images: string,
  names: readonly string[],
  bounds: ContainerBounds,
): Promise<void> {
  const files = names.filter((name) => name.startsWith("mountpoints-"));
  if (files.length !== 1) refuse(`the images have ${files.length} lists of mounts instead of one`);
  const entries = await readImage(images, files[0] ?? "", "mountpoints");
  const mounts = entries.map(readMount);
  const seen = new Set<string>();
  for (const mount of mounts) {
    if (seen.has(mount.destination)) refuse(`two mounts are at ${quoted(mount.destination)}`);
    seen.add(mount.destination);
    verifyMount(mount, bounds);
  }
  for (const path of ["/", "/proc", "/dev", "/sys", ...bounds.mounts, ...bounds.mustBeMasked]) {
    if (!seen.has(path)) refuse(`the images lack the mount at ${path}`);
  }
}

function readMount(entry: Message): Mount {
  entry.expectOnly(knownFields);
  const destination = entry.text(7) ?? "";
  for (const path of [destination, entry.text(6) ?? ""]) {
    if (!path.startsWith("/") || path.split("/").includes("..")) {
      refuse(`a mount has the path ${quoted(path)}`);
    }
  }
  for (const field of [12, 16]) {
    if ((entry.uint32(field) ?? 0) !== 0)
      refuse(`the mount at ${quoted(destination)} needs more than a mount`);
  }
  if (entry.has(14)) refuse(`the mount at ${quoted(destination)} names a file system`);
  return {
    type: entry.uint32(1) ?? -1,
    flags: entry.uint32(5) ?? 0,
    root: entry.text(6) ?? "",
    destination,
    key: entry.text(18) ?? "",
  };
}

function verifyMount(mount: Mount, bounds: ContainerBounds): void {
  const { type, destination, key } = mount;
  const allowed = engineMounts[destination];
  if (allowed?.includes(type) && (key === "" || key === destination)) {
    return destination === "/sys" ? assertReadOnly(mount) : undefined;
  }
  // Without a key CRIU would mount the device itself.
  const isExternal = key === destination;
  if (isExternal && (engineFiles.includes(destination) || bounds.mounts.includes(destination)))
    return;
  if (isExternal && type === types.cgroup && /^\/sys\/fs\/cgroup\/[\w,=]+$/.test(destination)) {
    return assertReadOnly(mount);
  }
  if (/^\/(?:proc|sys)\/./.test(destination) && maskTypes.includes(type)) return verifyMask(mount);
  refuse(`a mount at ${quoted(destination)} is none of the container's`);
}

/** A path of /proc or /sys, hidden by /dev/null or an empty read-only tmpfs, or bound onto itself read-only. */
function verifyMask(mount: Mount): void {
  const { type, root, destination, key } = mount;
  if (root === "/null" && key === "/dev/null") return;
  if (type === types.tmpfs && root === "/null" && key === "") return;
  const isItself = type !== types.tmpfs && destination === `/${destination.split("/")[1]}${root}`;
  const isEmpty = type === types.tmpfs && root === "/";
  if ((isItself || isEmpty) && key === "") return assertReadOnly(mount);
  refuse(`the mount at ${quoted(destination)} is none of the container's`);
}

function assertReadOnly({ destination, flags }: Mount): void {
  if ((flags & readOnly) === 0) refuse(`the mount at ${quoted(destination)} is writable`);
}
