import { readFirstEntry, readImage } from "./criu-image.ts";
import type { Message } from "./protobuf.ts";
import { quoted, refuse } from "./refusal.ts";

/** CRIU: images/fdinfo.proto, fd_types, and the field of file_entry that holds one. */
const kinds = {
  regular: 1,
  pipe: 2,
  fifo: 3,
  internetSocket: 4,
  unixSocket: 5,
  eventfd: 6,
  epoll: 7,
  inotify: 8,
  signalfd: 9,
  terminal: 11,
  netlink: 13,
  timerfd: 17,
  memfd: 18,
  pidfd: 20,
} as const;

/** Open files of the other kinds reach beyond the container, or need more than CRIU should do for it. */
const refusedKinds: Readonly<Record<number, string>> = {
  10: "a packet socket",
  12: "a fanotify group",
  14: "a namespace",
  15: "a network tunnel",
  16: "a file from outside",
  19: "a BPF map",
};

/** `S_IFMT` and its values (inode(7)). */
const typeMask = 0o170000;
const typeOf = { character: 0o020000, block: 0o060000, regular: 0o100000, fifo: 0o010000 } as const;
const setIdBits = 0o6000;
/** `O_ACCMODE` (open(2)). */
const accessMask = 3;

/** Devices that every container has in /dev (OCI runtime-spec, "Default Devices"). */
const devices = /^\/dev\/(?:null|zero|full|random|urandom|tty|console|ptmx|pts\/ptmx|pts\/\d+)$/;
/** Where files live that are deleted and still open: shared memory and temporary files, with nothing to follow on the way. */
const ghostPath = /^\/(?:dev\/shm|tmp)\/[^/]+$/;
/** PTY and the controlling terminal: a console or a serial line is the host's. */
const terminalTypes = [1, 4];
/** `NETLINK_ROUTE`, `_SOCK_DIAG`, `_KOBJECT_UEVENT`, `_GENERIC`: what libraries open. */
const netlinkProtocols = [0, 4, 15, 16];
/** `USK_EXTERN`, `_CALLBACK`, `_INHERIT` (CRIU: sk-unix.c): an end that is not in the container. */
const unixOutside = (1 << 0) | (1 << 2) | (1 << 3);
const rawSocket = 3;
/** TCP states other than CLOSE (7) and LISTEN (10) have a remote end. */
const unconnectedStates = [7, 10];

/** That every open or mapped file is the container's own. */
export async function verifyFiles(images: string, names: readonly string[]): Promise<void> {
  const entries = await readImage(images, "files.img", "files");
  const paths = new Map<number, string>();
  for (const entry of entries) verifyFile(entry, paths);
  if (names.includes("tty-info.img")) {
    for (const terminal of await readImage(images, "tty-info.img", "tty-info")) {
      if (!terminalTypes.includes(terminal.uint32(2) ?? 0))
        refuse("a terminal is not the container's");
    }
  }
  await verifyGhosts(images, names, paths);
}

function verifyFile(entry: Message, paths: Map<number, string>): void {
  const kind = entry.uint32(1) ?? 0;
  const refused = refusedKinds[kind];
  if (refused !== undefined) refuse(`the images open ${refused}`);
  const field = fieldOf(kind);
  const body = field === undefined ? undefined : entry.message(field, "images/files.img");
  if (body === undefined) {
    return refuse(`the images open a file of the unknown kind ${kind}`);
  }
  if (kind === kinds.regular) {
    paths.set(body.uint32(1) ?? 0, verifyRegular(body));
  } else if (kind === kinds.internetSocket) {
    verifyInternetSocket(body);
  } else if (kind === kinds.unixSocket) {
    verifyUnixSocket(body);
  } else if (kind === kinds.inotify && body.has(5)) {
    refuse("the images watch files by handles of the file system");
  } else if (kind === kinds.netlink && !netlinkProtocols.includes(body.uint32(3) ?? -1)) {
    refuse(`the images open a netlink socket of protocol ${body.uint32(3) ?? "?"}`);
  }
}

/** The field of file_entry for a kind. */
function fieldOf(kind: number): number | undefined {
  const fields: Readonly<Record<number, number>> = {
    [kinds.regular]: 3,
    [kinds.internetSocket]: 4,
    [kinds.netlink]: 7,
    [kinds.eventfd]: 8,
    [kinds.epoll]: 9,
    [kinds.signalfd]: 10,
    [kinds.timerfd]: 12,
    [kinds.inotify]: 13,
    [kinds.unixSocket]: 16,
    [kinds.fifo]: 17,
    [kinds.pipe]: 18,
    [kinds.terminal]: 19,
    [kinds.memfd]: 20,
    [kinds.pidfd]: 22,
  };
  return fields[kind];
}

/** @returns its path. */
function verifyRegular(file: Message): string {
  const path = file.text(6) ?? "";
  if (!path.startsWith("/") || path.split("/").includes("..")) {
    refuse(`the images open ${quoted(path)}`);
  }
  if ((file.uint32(9) ?? 0) !== 0) refuse(`the images take ${quoted(path)} from outside`);
  const type = (file.uint32(10) ?? 0) & typeMask;
  if (type === typeOf.block) refuse(`the images open the block device ${quoted(path)}`);
  const isDevice =
    type === typeOf.character ||
    (path.startsWith("/dev/") && !/^\/dev\/(?:shm|mqueue)\//.test(path));
  if (isDevice && !devices.test(path) && type !== 0o040000) {
    refuse(`the images open the device ${quoted(path)}`);
  }
  const isWritten = ((file.uint32(2) ?? 0) & accessMask) !== 0;
  if (isWritten && /^\/(?:proc|sys)\//.test(path)) refuse(`the images write to ${quoted(path)}`);
  return path;
}

function verifyInternetSocket(socket: Message): void {
  if (socket.uint32(4) === rawSocket) refuse("the images open a raw socket");
  const options = socket.message(14);
  if ((options?.uint32(10) ?? 0) !== 0) refuse("a socket marks its packets");
  if ((options?.text(15) ?? "") !== "") refuse("a socket is bound to a network device");
  if (socket.message(16)?.has(4)) refuse("a socket has raw options");
  if (unconnectedStates.includes(socket.uint32(6) ?? 0)) return;
  for (const field of [11, 12]) {
    if (!isLoopback(socket.uint32s(field)))
      refuse("a socket is connected to outside the container");
  }
}

/** Addresses are words as the kernel has them in memory, on a little-endian machine. */
function isLoopback(words: readonly number[]): boolean {
  const [first = 0, second = 0, third = 0, fourth = 0] = words;
  if (words.length <= 1) return (first & 0xff) === 127;
  if (first !== 0 || second !== 0) return false;
  if (third === 0xffff0000) return (fourth & 0xff) === 127;
  return third === 0 && fourth === 0x01000000;
}

function verifyUnixSocket(socket: Message): void {
  if (((socket.uint32(6) ?? 0) & unixOutside) !== 0)
    refuse("a Unix socket ends outside the container");
  const name = Buffer.from(socket.bytes(11) ?? []).toString("latin1");
  const directory = socket.text(14) ?? "";
  // A leading NUL begins an abstract name, which is no path.
  const path = name.startsWith("\0") ? "" : name;
  if ([path, directory].some((part) => part.split("/").includes(".."))) {
    refuse(`a Unix socket has the path ${quoted(path)}`);
  }
}

/** Deleted files that are still open: CRIU makes them anew at their path, as root, and deletes them again. */
async function verifyGhosts(
  images: string,
  names: readonly string[],
  paths: ReadonlyMap<number, string>,
): Promise<void> {
  const ghosts = names.filter((name) => name.startsWith("ghost-file-"));
  for (const name of ghosts) {
    const ghost = await readFirstEntry(images, name, "ghost-file");
    ghost.expectOnly([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const mode = ghost.uint32(3) ?? 0;
    const type = mode & typeMask;
    if (type !== typeOf.regular && type !== typeOf.fifo)
      refuse(`images/${name} makes a device or a link`);
    if ((mode & setIdBits) !== 0) refuse(`images/${name} makes a file that changes its user`);
  }
  if (!names.includes("remap-fpath.img")) return;
  for (const remap of await readImage(images, "remap-fpath.img", "remap-fpath")) {
    // GHOST, or a process's directory of /proc that is gone. LINKED names another file of the host's making.
    const type = remap.uint32(3) ?? 0;
    if (type === 2) continue;
    const path = paths.get(remap.uint32(1) ?? 0) ?? "";
    if (type !== 1 || !ghostPath.test(path)) {
      refuse(`a deleted file would be made anew at ${quoted(path)}`);
    }
  }
}
