import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { fileRecordSchema, type FileRecord } from "./digests.ts";
import type { CompatibilityKey, Snapshot } from "./snapshot.ts";

/** A snapshot as it lies on disk: `snapshot.json` beside `images/`, `files.tar` and `removed`. */
export interface StoredSnapshot {
  readonly snapshot: Snapshot;
  readonly files: readonly FileRecord[];
  /** Python processes that answered at the capture, by their PID in the container; all must answer after a restore. */
  readonly helperPids: readonly number[];
}

const keySchema: z.ZodType<CompatibilityKey> = z.object({
  imageId: z.string(),
  weightsDigest: z.string(),
  cpuFeatures: z.string(),
  kernel: z.string(),
  criu: z.string(),
  ociRuntime: z.string(),
  cgroupVersion: z.string(),
  gpu: z.string(),
  mounts: z.array(z.string()),
  environment: z.string(),
});

const storedSchema = z.object({
  format: z.literal(1),
  snapshot: z.object({
    id: z.string().regex(/^[a-z0-9-]+$/),
    key: keySchema,
    status: z.enum(["pending", "available", "failed", "expired"]),
    reason: z.string().optional(),
    sizeBytes: z.number(),
    createdAt: z.string(),
    captureMs: z.number(),
    warmUp: z
      .object({ input: z.record(z.string(), z.unknown()), output: z.unknown().optional() })
      .optional(),
  }),
  files: z.array(fileRecordSchema),
  helperPids: z.array(z.number()),
});

/** Beginning of the names of captures in progress, which are no snapshots. */
const unfinishedPrefix = ".capture-";
/** Names the container of an unfinished capture, which is frozen when byom was killed in it. */
const containerFile = "container";

/** The directory of a host's snapshots. They hold a program's whole memory, so only their owner may look. */
export class SnapshotDirectory {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  static async open(path: string): Promise<SnapshotDirectory> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    return new SnapshotDirectory(path);
  }

  get path(): string {
    return this.#path;
  }

  pathOf(snapshotId: string): string {
    return join(this.#path, snapshotId);
  }

  /** Newest first. A directory whose `snapshot.json` cannot be read is no snapshot. */
  async list(): Promise<readonly StoredSnapshot[]> {
    const names = await readdir(this.#path);
    const read = await Promise.all(
      names.filter((name) => !name.startsWith(".")).map((name) => this.read(name)),
    );
    return read
      .filter((stored) => stored !== undefined)
      .toSorted((a, b) => (a.snapshot.createdAt < b.snapshot.createdAt ? 1 : -1));
  }

  async read(snapshotId: string): Promise<StoredSnapshot | undefined> {
    const path = join(this.pathOf(snapshotId), "snapshot.json");
    try {
      const parsed = storedSchema.parse(JSON.parse(await readFile(path, "utf8")));
      return parsed.snapshot.id === snapshotId ? (parsed as StoredSnapshot) : undefined;
    } catch {
      return undefined;
    }
  }

  /** A directory for a capture in progress; {@link publish} or {@link discard} it. */
  async begin(snapshotId: string, containerId: string): Promise<string> {
    const path = join(this.#path, unfinishedPrefix + snapshotId);
    await rm(path, { recursive: true, force: true });
    await mkdir(path, { mode: 0o700 });
    await writeFile(join(path, containerFile), containerId);
    return path;
  }

  /** Makes the capture in progress a snapshot: all of it or nothing, by one rename. */
  async publish(unfinished: string, stored: StoredSnapshot): Promise<void> {
    await writeStored(unfinished, stored);
    await rm(join(unfinished, containerFile), { force: true });
    await rename(unfinished, this.pathOf(stored.snapshot.id));
  }

  async discard(unfinished: string): Promise<void> {
    await rm(unfinished, { recursive: true, force: true });
  }

  /** Containers of captures that a killed process left behind; their directories are removed. */
  async sweep(): Promise<readonly string[]> {
    const names = await readdir(this.#path);
    const containers: string[] = [];
    for (const name of names.filter((candidate) => candidate.startsWith(unfinishedPrefix))) {
      const path = join(this.#path, name);
      const container = await readFile(join(path, containerFile), "utf8").catch(() => "");
      if (container !== "") containers.push(container);
      await this.discard(path);
    }
    return containers;
  }

  /** Marks it and drops its memory image: what failed once is not tried again, only remembered with its reason. */
  async retire(
    stored: StoredSnapshot,
    status: "failed" | "expired",
    reason: string,
  ): Promise<void> {
    const path = this.pathOf(stored.snapshot.id);
    const snapshot = { ...stored.snapshot, status, reason, sizeBytes: 0 };
    await writeStored(path, { ...stored, snapshot, files: [] });
    for (const name of ["images", "files.tar", "removed"]) {
      await rm(join(path, name), { recursive: true, force: true });
    }
  }

  async remove(snapshotId: string): Promise<void> {
    await rm(this.pathOf(snapshotId), { recursive: true, force: true });
  }

  /** Remembers a use, for the order in which snapshots make room. */
  async touch(snapshotId: string): Promise<void> {
    const now = new Date();
    await utimes(this.pathOf(snapshotId), now, now);
  }

  /** Milliseconds since the epoch. */
  async lastUsedMs(snapshotId: string): Promise<number> {
    return await stat(this.pathOf(snapshotId)).then(
      (facts) => facts.mtimeMs,
      () => 0,
    );
  }
}

async function writeStored(directory: string, stored: StoredSnapshot): Promise<void> {
  const path = join(directory, "snapshot.json");
  const text = `${JSON.stringify({ format: 1, ...stored }, null, 2)}\n`;
  await writeFile(`${path}.new`, text, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}
