import { join } from "node:path";

import { z } from "zod";

import { verifyChangedFiles, verifyMemoryFiles, verifyRemoved } from "./archives.ts";
import type { ContainerBounds } from "./container.ts";
import { verifyCgroups } from "./criu-cgroups.ts";
import { verifyFiles } from "./criu-files.ts";
import { readWhole } from "./criu-image.ts";
import { verifyMounts } from "./criu-mounts.ts";
import { verifyTasks } from "./criu-tasks.ts";
import { verifyNames, verifyOnDisk, type NamedFile } from "./files-on-disk.ts";
import { verifyPages } from "./pages.ts";
import { refuse } from "./refusal.ts";

export interface Verification {
  /** The snapshot's directory, which nobody else writes to. */
  readonly directory: string;
  /** The files that it consists of; their digests are the caller's to check. */
  readonly files: readonly NamedFile[];
  readonly bounds: ContainerBounds;
  /** All files together, and what the archive of changed files may unpack to. */
  readonly bytesMax: number;
  /** The store's own files beside them. */
  readonly ignored: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * That a snapshot from elsewhere can be given to CRIU and tar, which run as root: it consists of known files, names
 * nothing outside its container, and gives its processes nothing that the container does not have.
 * @throws SnapshotError `snapshot_refused` with what is wrong; the signal's reason.
 */
export async function verifySnapshot(input: Verification): Promise<void> {
  const { directory, files, bounds, bytesMax, signal } = input;
  verifyNames(files, bytesMax);
  await verifyOnDisk(directory, files, { ignored: input.ignored });
  const images = join(directory, "images");
  const names = files
    .filter(({ path }) => path.startsWith("images/"))
    .map(({ path }) => path.slice("images/".length));
  for (const needed of [
    "inventory.img",
    "pstree.img",
    "files.img",
    "cgroup.img",
    "descriptors.json",
  ]) {
    if (!names.includes(needed)) refuse(`images/${needed} is missing`);
  }
  await verifyTasks(images, names, bounds);
  await verifyMounts(images, names, bounds);
  await verifyFiles(images, names);
  await verifyCgroups(images);
  await verifyPages(images, names);
  await verifyDescriptors(images);
  for (const name of names.filter((candidate) => candidate.startsWith("netns-"))) {
    verifyConntrack(await readWhole(images, name), name);
  }
  signal.throwIfAborted();
  for (const name of names.filter((candidate) => candidate.startsWith("tmpfs-"))) {
    await verifyMemoryFiles(images, name, signal);
  }
  const has = (path: string): boolean => files.some((file) => file.path === path);
  const removed = has("removed") ? await verifyRemoved(directory) : [];
  if (has("files.tar")) await verifyChangedFiles(directory, bounds, { bytesMax, removed, signal });
}

/** runc tells CRIU to put the new container's own standard files in the place of these. */
async function verifyDescriptors(images: string): Promise<void> {
  const text = (await readWhole(images, "descriptors.json")).toString("utf8");
  const parsed = descriptorsSchema.safeParse(parseJson(text));
  if (!parsed.success) refuse("images/descriptors.json names other files than standard ones");
}

const descriptorsSchema = z.tuple(
  [0, 1, 2].map(() => z.string().regex(/^(?:\/dev\/null|pipe:\[\d{1,20}\])$/)) as [
    z.ZodString,
    z.ZodString,
    z.ZodString,
  ],
);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Messages that CRIU sends to the network's filter: only ones about known connections (linux/netfilter/nfnetlink.h). */
function verifyConntrack(bytes: Buffer, name: string): void {
  let at = 0;
  while (at < bytes.length) {
    const length = at + 16 <= bytes.length ? bytes.readUInt32LE(at) : 0;
    if (length < 16 || at + length > bytes.length) refuse(`images/${name} is broken or cut off`);
    const subsystem = bytes.readUInt16LE(at + 4) >> 8;
    if (!conntrackSubsystems.includes(subsystem)) {
      refuse(`images/${name} would change the network's filter`);
    }
    at += (length + 3) & ~3;
  }
}

/** `NFNL_SUBSYS_CTNETLINK` and its expectations. */
const conntrackSubsystems = [1, 2];
