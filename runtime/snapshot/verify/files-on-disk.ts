import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

import { quoted, refuse } from "./refusal.ts";

/** A file that the snapshot says to consist of. */
export interface NamedFile {
  /** Relative to the snapshot's directory. */
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * Images that a dump of byom consists of (CRIU: criu/image-desc.c). Those of older formats are not among them, because
 * CRIU would read them beside the new ones; nor those that set up networks, security policies, or programs.
 */
const imageNames = [
  /^(?:inventory|pstree|files|seccomp|cgroup|pipes-data|fifo-data|sk-queues|remap-fpath|memfd|tty-info|tty-data|filelocks|descriptors)\.(?:img|json)$/,
  /^(?:core|ids|mm|fs|fdinfo|pagemap|pagemap-shmem|pages|mountpoints|utsns|ipcns-var|ipcns-shm|ipcns-msg|ipcns-sem|timens|pidns|netns-ct|netns-exp)-\d{1,20}\.img$/,
  /^(?:tcp-stream|ghost-file)-[0-9a-f]{1,16}\.img$/,
  /^tmpfs-(?:dev-)?\d{1,20}\.tar\.gz\.img$/,
];
const otherFiles = ["files.tar", "removed"];
/** A model has some processes with some hundred threads. */
const filesMax = 20_000;

/** Whether a snapshot may have a file of this name: nothing that leaves its directory, or that CRIU should not read. */
export function isKnownPath(path: string): boolean {
  if (otherFiles.includes(path)) return true;
  const name = path.startsWith("images/") ? path.slice("images/".length) : "";
  return imageNames.some((pattern) => pattern.test(name));
}

/** That the list of files is one of a snapshot, within the limit. */
export function verifyNames(files: readonly NamedFile[], bytesMax: number): void {
  if (files.length > filesMax) refuse(`it has ${files.length} files, more than ${filesMax}`);
  const paths = new Set<string>();
  let bytes = 0;
  for (const { path, sizeBytes } of files) {
    if (!isKnownPath(path))
      refuse(`it has the file ${quoted(path)}, which is none of a snapshot's`);
    if (paths.has(path)) refuse(`it has the file ${quoted(path)} twice`);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) refuse(`${quoted(path)} has no size`);
    paths.add(path);
    bytes += sizeBytes;
  }
  if (bytes > bytesMax) refuse(`it has ${bytes} bytes, more than ${bytesMax}`);
}

/**
 * That the directory holds these files and nothing else: regular ones, with one name each, that only their owner may
 * change. A link would let CRIU or tar read or write elsewhere.
 */
export async function verifyOnDisk(
  directory: string,
  files: readonly NamedFile[],
  options: { readonly ignored: readonly string[] },
): Promise<void> {
  const expected = new Map(files.map((file) => [file.path, file.sizeBytes]));
  for (const path of ["", "images"]) {
    const facts = await lstat(join(directory, path));
    if (!facts.isDirectory()) refuse(`${quoted(path)} is no directory`);
    assertPrivate(path, facts);
    for (const name of await readdir(join(directory, path))) {
      const inside = path === "" ? name : `${path}/${name}`;
      if (inside === "images" || options.ignored.includes(inside)) continue;
      const size = expected.get(inside);
      if (size === undefined) refuse(`it has the file ${quoted(inside)}, which is not in its list`);
      expected.delete(inside);
      await verifyFile(join(directory, inside), { path: inside, sizeBytes: size ?? 0 });
    }
  }
  const [missing] = expected.keys();
  if (missing !== undefined) refuse(`${missing} is missing`);
}

async function verifyFile(file: string, { path, sizeBytes }: NamedFile): Promise<void> {
  const facts = await lstat(file);
  if (facts.isSymbolicLink()) refuse(`${path} is a symbolic link`);
  if (!facts.isFile()) refuse(`${path} is no regular file`);
  if (facts.nlink !== 1) refuse(`${path} is a hard link to a file elsewhere`);
  assertPrivate(path, facts);
  if (facts.size !== sizeBytes) refuse(`${path} has ${facts.size} bytes instead of ${sizeBytes}`);
}

function assertPrivate(path: string, facts: { readonly uid: number; readonly mode: number }): void {
  const owner = process.getuid?.() ?? facts.uid;
  if (facts.uid !== owner || (facts.mode & 0o022) !== 0) {
    refuse(`${path === "" ? "its directory" : path} can be changed by others`);
  }
}
