import { lstat, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { pipeline } from "node:stream/promises";

import { execa } from "execa";
import { extract } from "tar-stream";

import { SnapshotError } from "../errors.ts";

/** The directories of a container's overlay root, as its init process has it mounted. */
export interface OverlayRoot {
  readonly upper: string;
  /** Top first. */
  readonly lower: readonly string[];
}

/** What a container changed in its root. Paths are relative, parents before what is in them. */
export interface ChangedFiles {
  /** Must be absent before the written ones are put in place: deleted, or replaced by another kind of file. */
  readonly removed: readonly string[];
  readonly written: readonly string[];
}

/**
 * Finds the overlay of a process's root (proc(5), mountinfo). Works for Docker's overlay2 driver and for containerd's
 * snapshotter alike, because it asks the kernel and neither of the two.
 */
export async function readOverlayRoot(pid: number): Promise<OverlayRoot> {
  return parseOverlayRoot(await readFile(`/proc/${pid}/mountinfo`, "utf8"));
}

/** @see readOverlayRoot */
export function parseOverlayRoot(mountinfo: string): OverlayRoot {
  const line = mountinfo
    .split("\n")
    .find((candidate) => candidate.split(" ")[4] === "/" && candidate.includes(" - overlay "));
  const options = line?.slice(line.indexOf(" - overlay ")).split(" ").at(-1);
  const upper = options === undefined ? undefined : /(?:^|,)upperdir=([^,]+)/.exec(options)?.[1];
  const lower = options === undefined ? undefined : /(?:^|,)lowerdir=([^,]+)/.exec(options)?.[1];
  if (upper === undefined || lower === undefined) {
    throw new SnapshotError(
      "snapshot_unavailable",
      "the container's root is no overlay, so its changed files cannot be found",
      { hint: "snapshots need the engine's overlay2 driver or the overlayfs snapshotter" },
    );
  }
  // Docker shortens long lists to paths below its overlay2 directory.
  const base = dirname(dirname(upper));
  return { upper, lower: lower.split(":").map((path) => resolve(base, path)) };
}

/** Walks the upper directory (kernel: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"). */
export async function findChangedFiles(root: OverlayRoot): Promise<ChangedFiles> {
  const removed: string[] = [];
  const written: string[] = [];
  const opaque = await findOpaque(root.upper);
  const visit = async (directory: string): Promise<void> => {
    const entries = await readdir(join(root.upper, directory), { withFileTypes: true });
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
      if (entry.isCharacterDevice() && (await isWhiteout(join(root.upper, path)))) {
        removed.push(path);
      } else if (entry.isDirectory()) {
        if (opaque.has(path)) removed.push(path);
        written.push(path);
        await visit(path);
      } else if (!entry.isSocket()) {
        // CRIU binds Unix sockets anew. All else is carried.
        if (await isLowerDirectory(root, path)) removed.push(path);
        written.push(path);
      }
    }
  };
  await visit("");
  return { removed, written };
}

/** How much the container has written to its root, about: an archive of it is as large. */
export async function changedFilesBytes(root: OverlayRoot): Promise<number> {
  const entries = await readdir(root.upper, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        lstat(join(entry.parentPath, entry.name)).then(
          // Holes of a sparse file are written out.
          (facts) => facts.size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Writes `files.tar` and `removed` into the directory; an absent file says that there is nothing of its kind. */
export async function writeChangedFiles(
  directory: string,
  root: OverlayRoot,
  files: ChangedFiles,
): Promise<void> {
  if (files.removed.length > 0) await writeFile(join(directory, "removed"), list(files.removed));
  if (files.written.length === 0) return;
  await execa("tar", tarArguments(directory, root), { input: list(files.written) });
}

function tarArguments(directory: string, root: OverlayRoot): string[] {
  return [
    "--create",
    `--file=${join(directory, "files.tar")}`,
    `--directory=${root.upper}`,
    "--numeric-owner",
    "--format=posix",
    "--xattrs",
    "--xattrs-exclude=trusted.*",
    "--no-recursion",
    "--null",
    "--verbatim-files-from",
    "--files-from=-",
  ];
}

function list(paths: readonly string[]): string {
  return paths.map((path) => `./${path}\0`).join("");
}

async function isWhiteout(path: string): Promise<boolean> {
  return (await lstat(path)).rdev === 0;
}

/** Whether a lower layer has a directory where the container has a file: tar would not replace it. */
async function isLowerDirectory(root: OverlayRoot, path: string): Promise<boolean> {
  for (const lower of root.lower) {
    const facts = await lstat(join(lower, path)).catch(() => undefined);
    if (facts !== undefined) return facts.isDirectory();
  }
  return false;
}

/**
 * Relative paths of directories that hide what the layers below have there. They carry an extended attribute, which
 * Node cannot read; GNU tar can, and tells it in its headers.
 */
async function findOpaque(upper: string): Promise<ReadonlySet<string>> {
  const entries = await readdir(upper, { recursive: true, withFileTypes: true });
  const directories = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => relative(upper, join(entry.parentPath, entry.name)));
  const opaque = new Set<string>();
  if (directories.length === 0) return opaque;
  const headers = extract();
  headers.on("entry", (header, content, next) => {
    const attributes = (header.pax ?? {}) as Readonly<Record<string, string>>;
    if (attributes[`${overlayAttribute}opaque`] === "y") {
      opaque.add(header.name.replace(/^\.\//, "").replace(/\/$/, ""));
    }
    if (attributes[`${overlayAttribute}redirect`] !== undefined) {
      headers.destroy(
        new SnapshotError("snapshot_unavailable", `${header.name} was renamed by redirection`),
      );
    }
    content.resume();
    next();
  });
  const tar = execa(
    "tar",
    [
      "--create",
      "--file=-",
      `--directory=${upper}`,
      "--format=posix",
      "--no-recursion",
      "--xattrs",
      "--xattrs-include=trusted.overlay.*",
      "--null",
      "--verbatim-files-from",
      "--files-from=-",
    ],
    { input: list(directories), buffer: false },
  );
  await Promise.all([pipeline(tar.stdout, headers), tar]);
  return opaque;
}

const overlayAttribute = "SCHILY.xattr.trusted.overlay.";
